"""Every picture of the documentation, by the name of its file in docs/images."""

from collections.abc import Callable
from typing import Final

from docsite.figures.drawing import Sheet
from docsite.figures.spending import memory, rollout, start
from docsite.figures.working import one_pass, page, parts, pod, verdict

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
