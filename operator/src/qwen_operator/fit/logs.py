"""What vLLM itself says of its memory in its log, to hold a computed answer against."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from qwen_operator.fit.knowledge import GIB

_NUMBER = r"([0-9][0-9,.]*)"
_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "weights": (
        rf"[Mm]odel loading took {_NUMBER} Gi?B",
        rf"Loading model weights took {_NUMBER} Gi?B",
    ),
    "kv_cache": (
        r"Available KV cache memory: (-?[0-9][0-9,.]*) GiB",
        r"reserved for KV Cache is (-?[0-9][0-9,.]*)\s*GiB",
        rf"Explicitly set \({_NUMBER}/[0-9.]+\) GiB for KV cache",
    ),
    "tokens": (rf"[CG]PU KV cache size: {_NUMBER} tokens",),
    "blocks": (rf"# (?:GPU|cuda|CUDA) blocks: {_NUMBER}",),
    "gpu": (
        rf"Free memory on device \([0-9.]+/{_NUMBER} GiB\)",
        rf"total_gpu_memory \({_NUMBER}\s*GiB\)",
    ),
}


@dataclass(frozen=True, slots=True)
class Printed:
    """Figures of a log, None where it does not hold them.

    Attributes:
        gpu: bytes that CUDA reports.
        weights: bytes that the weights took.
        kv_cache: bytes left for the KV cache; negative where there were too few.
        tokens: that the KV cache holds.
    """

    gpu: int | None = None
    weights: int | None = None
    kv_cache: int | None = None
    tokens: int | None = None


def printed(log: str, block_tokens: int) -> Printed:
    """The figures that a log holds; of several processes the first that tells.

    Args:
        log: of a pod, whole or in part.
        block_tokens: tokens of a block, for versions that count blocks.
    """
    found: dict[str, float] = {}
    for name, patterns in _PATTERNS.items():
        for pattern in patterns:
            match = re.search(pattern, log)
            if match is not None:
                found.setdefault(name, float(match[1].replace(",", "").rstrip(".")))
    sizes = {
        name: int(found[name] * GIB) for name in ("gpu", "weights", "kv_cache") if name in found
    }
    tokens = found.get("tokens")
    if tokens is None and "blocks" in found:
        tokens = found["blocks"] * block_tokens
    return Printed(**sizes, tokens=None if tokens is None else int(tokens))
