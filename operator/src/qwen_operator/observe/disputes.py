"""Children that somebody else keeps changing back: restored at growing intervals, and told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator import naming
from qwen_operator.naming import Key

Place = tuple[Key, str, str]
"""Whose child it is, its kind and its name."""

FREE_CORRECTIONS = 5
"""Corrections that are made at once: a person edits by hand now and then."""

LONGEST_SECONDS = 120.0
CALM_SECONDS = 60.0
"""How long nothing must differ until the dispute is over."""


@dataclass(slots=True)
class _Dispute:
    who: str
    corrections: int
    differed: float
    next: float


class Disputes:
    """How often each child had to be set back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Make one; `clock` is monotonic, in seconds."""
        self._clock = clock
        self._open: dict[Place, _Dispute] = {}

    def _known(self, place: Place) -> _Dispute | None:
        found = self._open.get(place)
        if found is not None and self._clock() > max(found.next, found.differed + CALM_SECONDS):
            del self._open[place]
            return None
        return found

    def may_correct(self, place: Place) -> bool:
        """Note that a child differs from what was applied; return whether to set it back now."""
        found = self._known(place)
        if found is None:
            return True
        found.differed = self._clock()
        return self._clock() >= found.next

    def corrected(self, place: Place, who: str) -> None:
        """Note that a child was set back after a field manager had changed it."""
        found = self._known(place)
        count = found.corrections + 1 if found else 1
        beyond = count - FREE_CORRECTIONS
        wait = min(LONGEST_SECONDS, float(1 << min(beyond, 7))) if beyond >= 0 else 0.0
        self._open[place] = _Dispute(who, count, self._clock(), self._clock() + wait)

    def dispute(self, place: Place) -> tuple[str, float] | None:
        """With whom, and the seconds until the child is set back again; None without a dispute."""
        found = self._known(place)
        if found is None or found.corrections < FREE_CORRECTIONS:
            return None
        return found.who, max(1.0, found.next - self._clock())


def other_manager(body: Mapping[str, Any]) -> str:
    """Who changed an object last, besides us and the controllers that write its status."""
    entries = body["metadata"].get("managedFields") or ()
    others = [
        each
        for each in entries
        if each.get("manager") != naming.FIELD_MANAGER and each.get("subresource") != "status"
    ]
    others.sort(key=lambda each: str(each.get("time")))
    return str(others[-1].get("manager")) if others else "somebody"
