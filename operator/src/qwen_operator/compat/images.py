"""Which vLLM an image holds, told from its name.

Source: NVIDIA's release notes of tritonserver's -vllm-python-py3 images, and images/triton-cpu.
"""

import re
from functools import lru_cache
from typing import Final

NVIDIA_TAGS: Final = {
    "25.05": "0.8.4",
    "25.06": "0.9.0",
    "25.07": "0.9.0",
    "25.08": "0.9.2",
    "25.09": "0.10.1.1",
    "25.10": "0.10.2",
    "25.11": "0.11.0",
    "25.12": "0.11.1",
    "26.01": "0.13.0",
    "26.02": "0.15.1",
    "26.03": "0.17.1",
    "26.04": "0.19.0",
    "26.05": "0.19.0",
    "26.06": "0.22.1",
    "26.07": "0.24.0",
    "26.08": "0.27.1",
}
"""YY.MM of the tag → version of vLLM."""

NVIDIA_DRIVERS: Final = {
    "25.05": "575.51",
    "25.06": "575.51",
    "25.07": "575.51",
    "25.08": "580.82",
    "25.09": "580.82",
    "25.10": "580.95",
    "25.11": "580.95",
    "25.12": "590.44",
    "26.01": "590.48",
    "26.02": "590.48",
    "26.03": "595.45",
    "26.04": "595.58",
    "26.05": "595.58",
    "26.06": "610.43",
    "26.07": "610.43",
    "26.08": "615.61",
}
"""YY.MM of the tag → driver that its CUDA comes with; data centre GPUs may have an older one."""

FAMILIES: Final = {"Qwen1.5": "0.8.4", "Qwen2": "0.8.4", "Qwen2.5": "0.8.4", "Qwen3": "0.8.5"}
"""Family of models → first version of vLLM to serve it with, of those known here. Source: the
model cards; Qwen3's ask for vllm>=0.8.5."""

CPU_IMAGE: Final = "triton-cpu"
CPU_VERSION: Final = "0.32.0"
"""What images/triton-cpu of this repository installs."""

_NVIDIA = re.compile(r"(?:^|/)tritonserver:(\d\d\.\d\d)-vllm-python-py3$")
_CPU = re.compile(rf"(?:^|/){CPU_IMAGE}(?::|$)")
_MOST_VERSIONS = 256


@lru_cache(_MOST_VERSIONS)
def order(version: str) -> tuple[int, ...]:
    """A key to sort versions by; a resource's arguments ask for it hundreds of times."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def is_at_least(version: str, first: str) -> bool:
    """Whether a version is the same as another one, or later."""
    return order(version) >= order(first)


def vllm_version(image: str) -> str | None:
    """The version of vLLM in an image, or None where its name does not tell."""
    if (found := _NVIDIA.search(image)) is not None:
        return NVIDIA_TAGS.get(found[1])
    return CPU_VERSION if _CPU.search(image) else None
