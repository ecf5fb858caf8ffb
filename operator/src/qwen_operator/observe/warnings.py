"""The last warning about each pod that does not start: events are asked for only then."""

from collections.abc import Callable, Mapping
from typing import Any

from qwen_operator.cluster.protocol import EVENT, Cluster, Json

_PATIENCE_SECONDS = 10.0
_EVERY_SECONDS = 20.0


def is_stuck(pod: Mapping[str, Any]) -> bool:
    """On a node, not being deleted, and no container was ever started."""
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp") or not pod.get("spec", {}).get("nodeName"):
        return False
    states = [each.get("state") or {} for each in status.get("containerStatuses") or ()]
    return status.get("phase") == "Pending" and not any("running" in each for each in states)


def latest(events: list[Json]) -> str | None:
    """The words of the most recent warning."""
    warnings = [each for each in events if each.get("type") == "Warning"]
    if not warnings:
        return None
    last = max(warnings, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime")))
    return f"{last.get('reason')}: {last.get('message')}"


class Warnings:
    """Looks up warnings of stuck pods, each at intervals, and remembers the last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stuck_since: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._words: dict[str, str] = {}

    def of(self, uid: str) -> str | None:
        """The last warning about a pod, or None."""
        return self._words.get(uid)

    def due(self, pods: list[Json]) -> list[Json]:
        """Which pods to ask about now; the others' warnings are forgotten."""
        now = self._clock()
        stuck = {each["metadata"]["uid"]: each for each in pods if is_stuck(each)}
        self._stuck_since = {uid: self._stuck_since.get(uid, now) for uid in stuck}
        self._asked = {uid: at for uid, at in self._asked.items() if uid in stuck}
        self._words = {uid: said for uid, said in self._words.items() if uid in stuck}
        return [
            pod
            for uid, pod in stuck.items()
            if now - self._stuck_since[uid] >= _PATIENCE_SECONDS
            and now - self._asked.get(uid, -_EVERY_SECONDS) >= _EVERY_SECONDS
        ]

    async def ask(self, cluster: Cluster, pod: Json) -> bool:
        """Look up one pod's warnings; return whether the last one changed.

        Raises:
            OperatorError: the events could not be listed.
        """
        metadata = pod["metadata"]
        self._asked[metadata["uid"]] = self._clock()
        chosen = f"involvedObject.uid={metadata['uid']}"
        found = cluster.pages(EVENT, metadata["namespace"], fields=chosen)
        words = latest([each async for page in found for each in page.items])
        before = self._words.get(metadata["uid"])
        if words is not None:
            self._words[metadata["uid"]] = words
        return words is not None and words != before
