"""How long the latest pod took to become ready, phase by phase."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from qwen_operator.facts import PodFacts

Json = dict[str, Any]


def _phases(pod: PodFacts) -> Json | None:
    """Whole seconds that sum to those from created to ready; None as long as it is not ready.

    Clocks of nodes and API server differ: a phase that would end before it began takes 0 seconds.
    """
    times = pod.times
    stamps = (times.created, times.scheduled, times.started, times.ready)
    if None in stamps:
        return None
    created, *reached = (datetime.fromisoformat(str(stamp)) for stamp in stamps)
    ready = max(created, reached[-1])
    made: Json = {"pod": pod.name}
    since = created
    names = ("scheduledSeconds", "pulledSeconds", "loadedSeconds")
    for name, moment in zip(names, [*reached[:-1], ready], strict=True):
        until = min(max(since, moment), ready)
        made[name] = int((until - since).total_seconds())
        since = until
    return made


def startup(pods: Iterable[PodFacts], before: Mapping[str, Any] | None) -> Json | None:
    """The phases of the pod that became ready last.

    Args:
        pods: those that exist.
        before: what the status says already. It stays while no pod is ready, and for the same
            start of the same pod: readiness that was lost and found again is no start.
    """
    ready = [(pod.times.ready or "", pod.name, made) for pod in pods if (made := _phases(pod))]
    if not ready:
        return dict(before) if before else None
    made = max(ready, key=lambda each: each[:2])[2]
    if before and all(before.get(key) == made[key] for key in made if key != "loadedSeconds"):
        return dict(before)
    return made
