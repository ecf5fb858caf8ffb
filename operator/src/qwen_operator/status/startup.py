"""How long the latest pod took to become ready, phase by phase."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from qwen_operator.facts import PodFacts

Json = dict[str, Any]

_KEYS = ("pod", "scheduledSeconds", "pulledSeconds")
"""What tells one start from another: readiness that was lost and found again is none."""


def _steps(pod: PodFacts) -> Iterator[tuple[str, str | None]]:
    """The phases in their order, each with its end; loading has the download in its midst."""
    times, progress = pod.times, pod.progress
    yield "scheduledSeconds", times.scheduled
    yield "pulledSeconds", times.started
    if progress is not None and progress.is_complete:
        if (begun := progress.since("downloading")) is not None:
            yield "loadedSeconds", begun
            yield "downloadedSeconds", progress.since("loading")
        yield "loadedSeconds", progress.since("opening")
        yield "readySeconds", times.ready
    else:
        yield "loadedSeconds", times.ready


def _phases(pod: PodFacts) -> Json | None:
    """Whole seconds that sum to those from created to ready; None as long as it is not ready.

    Clocks of nodes and API server differ: a phase that would end before it began takes 0 seconds.
    """
    times = pod.times
    if None in {times.created, times.scheduled, times.started, times.ready}:
        return None
    since = datetime.fromisoformat(str(times.created))
    ready = max(since, datetime.fromisoformat(str(times.ready)))
    made: Json = {"pod": pod.name}
    for name, moment in _steps(pod):
        until = ready if moment is None else datetime.fromisoformat(moment)
        until = min(max(since, until), ready)
        made[name] = made.get(name, 0) + int((until - since).total_seconds())
        since = until
    return made


def download(pods: Iterable[PodFacts]) -> Json | None:
    """How much of the weights a pod has that downloads now; of several, the first by name.

    It moves in twentieths, so that a download costs twenty writes and not one a second.
    """
    told = sorted(
        (pod.name, pod.progress.milestone)
        for pod in pods
        if pod.progress is not None and pod.progress.milestone and pod.times.ready is None
    )
    if not told:
        return None
    name, (done, total) = told[0]
    made: Json = {"pod": name, "bytes": done}
    return made if total is None else {**made, "totalBytes": total}


def startup(pods: Iterable[PodFacts], before: Mapping[str, Any] | None) -> Json | None:
    """The phases of the pod that became ready last.

    Args:
        pods: those that exist.
        before: what the status says already. It stays while no pod is ready, and for the same
            start of the same pod.
    """
    ready = [(pod.times.ready or "", pod.name, made) for pod in pods if (made := _phases(pod))]
    if not ready:
        return dict(before) if before else None
    made = max(ready, key=lambda each: each[:2])[2]
    if not before or any(before.get(key) != made[key] for key in _KEYS):
        return made
    # An older definition in the cluster may not have let all of it in.
    is_a_part = all(made.get(key) == value for key, value in before.items())
    return made if is_a_part else dict(before)
