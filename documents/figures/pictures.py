"""Every picture of the documentation, by the name of its file in docs/images."""

from collections.abc import Callable
from typing import Final

from documents.figures.drawing import Sheet
from documents.figures.spending import memory, rollout, start
from documents.figures.working import one_pass, page, parts, pod, verdict

PICTURES: Final[dict[str, Callable[[], Sheet]]] = {
    "parts": parts,
    "pod": pod,
    "pass": one_pass,
    "verdict": verdict,
    "start": start,
    "memory": memory,
    "rollout": rollout,
    "page-ways": page,
}
