"""Whether an engine argument and its value are taken by a vLLM, and what was meant if not."""

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from qwen_operator.compat.engine_arguments import ARGUMENTS, TAKES, VERSIONS
from qwen_operator.compat.images import order, vllm_version

INSTEAD: Final = {
    "disable_log_requests": "enable_log_requests: false, which is the default",
    "guided_decoding_backend": "structured_outputs_config",
    "cuda_graph_sizes": "cudagraph_capture_sizes",
    "swap_space": "nothing: vLLM does not swap any more",
    "device": "spec.resources.gpus: 0 for the CPU",
}
"""What took the place of arguments that are gone. Source: vLLM's release notes."""

_LIKENESS = 0.75
_MOST_VERSIONS = 256


@dataclass(frozen=True, slots=True)
class Engine:
    """A vLLM as far as its image, or its user, tells.

    Attributes:
        version: as pip shows it; None where nothing tells.
        name: what a person knows it by.
    """

    version: str | None
    name: str

    @property
    def known(self) -> tuple[str, ...]:
        """The versions in the table that it is, or lies between; all where nothing tells."""
        return VERSIONS if self.version is None else _neighbours(self.version)

    @property
    def is_beyond(self) -> bool:
        """Whether it may have what no version in the table has."""
        first, last = order(VERSIONS[0]), order(VERSIONS[-1])
        return self.version is None or not first <= order(self.version) <= last

    def has(self, name: str) -> bool:
        """Whether one of the known versions has an argument."""
        return any(_has(version, name) for version in self.known)


@lru_cache(_MOST_VERSIONS)
def _neighbours(version: str) -> tuple[str, ...]:
    """The version itself where the table has it, else those before and after it."""
    mine = order(version)
    older = [each for each in VERSIONS if order(each) <= mine]
    newer = [each for each in VERSIONS if order(each) >= mine]
    return tuple(dict.fromkeys([*older[-1:], *newer[:1]]))


def engine_of(image: str, version: str | None = None) -> Engine:
    """The vLLM of an image.

    Args:
        image: its name, which tells the version of those that are known here.
        version: what the user says that it holds.
    """
    found = version or vllm_version(image)
    return Engine(found, f"vLLM {found} of {image}" if found else f"the vLLM of {image}")


def _has(version: str, name: str) -> bool:
    first, last = ARGUMENTS.get(name, (None, None))
    if first is None or last is None:
        return False
    return order(first) <= order(version) <= order(last)


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


def complaint(name: str, engine: Engine) -> str | None:
    """Why an argument will not be taken by a vLLM; None where it will, or may.

    One that may be later than those known here is only asked for what looks like a misspelling,
    and for what those had given up already.
    """
    if engine.has(name):
        return None
    known = [each for each in ARGUMENTS if engine.has(each)]
    if name not in ARGUMENTS:
        if engine.is_beyond:
            nearest = _nearest(name, known)
            told = f"no vLLM that is known here has this argument; did you mean {nearest}?"
            return told if nearest else None
        return f"{engine.name} has no such argument{_meant(name, known)}"
    first, last = ARGUMENTS[name]
    if order(first) > order(engine.known[-1]):
        return f"{engine.name} does not have it yet (vLLM {first} does)"
    return f"{engine.name} does not have it any more (vLLM {last} did){_meant(name, known)}"


def value_complaint(name: str, value: object, engine: Engine) -> str | None:
    """Why a vLLM will not take a value of an argument; None where it will, or may."""
    told = [_complaint_of(version, name, value) for version in engine.known if _has(version, name)]
    # Between two versions, or with none told, what one of them takes may be right.
    wrong = told[-1] if told and all(told) else None
    return f"{engine.name}: {wrong}" if wrong else None


def _complaint_of(version: str, name: str, value: object) -> str | None:
    spans = [takes for since, takes in TAKES.get(name, ()) if order(since) <= order(version)]
    return spans[-1].complaint(value) if spans and spans[-1] is not None else None
