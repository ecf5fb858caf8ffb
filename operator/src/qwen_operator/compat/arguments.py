"""Whether an engine argument exists in an image's vLLM, and what was meant if it does not."""

import difflib
import re
from typing import Final

from qwen_operator.compat.engine_arguments import ARGUMENTS, VERSIONS
from qwen_operator.compat.images import vllm_version

INSTEAD: Final = {
    "disable_log_requests": "enable_log_requests: false, which is the default",
    "guided_decoding_backend": "structured_outputs_config",
    "cuda_graph_sizes": "cudagraph_capture_sizes",
    "swap_space": "nothing: vLLM does not swap any more",
    "device": "spec.resources.gpus: 0 for the CPU",
}
"""What took the place of arguments that are gone. Source: vLLM's release notes."""

_LIKENESS = 0.75


def _order(version: str) -> int:
    return VERSIONS.index(version)


def _nearest(name: str, known: list[str]) -> str | None:
    plain = re.sub(r"(?<!^)([A-Z])", r"_\1", name).replace("-", "_").lower()
    if plain in known:
        return plain
    found = difflib.get_close_matches(plain, known, 1, _LIKENESS)
    return found[0] if found else None


def _meant(name: str, known: list[str]) -> str:
    if name in INSTEAD:
        return f"; use {INSTEAD[name]}"
    nearest = _nearest(name, known)
    return f"; did you mean {nearest}?" if nearest else ""


def complaint(name: str, image: str) -> str | None:
    """Why an argument will not be taken by the image's vLLM; None where it will, or may.

    An image whose version its name does not tell may hold a later vLLM than is known here: of its
    arguments only one that looks like a misspelling is refused.
    """
    version = vllm_version(image)
    if version is None:
        known = sorted(ARGUMENTS)
        nearest = None if name in ARGUMENTS else _nearest(name, known)
        told = f"no vLLM that is known here has this argument; did you mean {nearest}?"
        return told if nearest else None
    at = _order(version)
    known = [
        each for each, (first, last) in ARGUMENTS.items() if _order(first) <= at <= _order(last)
    ]
    if name in known:
        return None
    if name not in ARGUMENTS:
        return f"vLLM {version} of {image} has no such argument{_meant(name, known)}"
    first = ARGUMENTS[name][0]
    if _order(first) > at:
        return f"vLLM {version} of {image} does not have it yet (vLLM {first} does)"
    return f"vLLM {version} of {image} does not have it any more{_meant(name, known)}"
