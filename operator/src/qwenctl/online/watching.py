"""What pods tell of themselves while they are under load: the most that was seen."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qwen_operator.load import Load, read_load, together
from qwenctl.online.connection import Cluster
from qwenctl.online.measuring import page

Json = dict[str, Any]

_EVERY_SECONDS = 1.0


class Watched:
    """The most that was seen between begin and end.

    Attributes:
        told: waiting, running, cache, preemptions; only what the pods tell.
    """

    def __init__(self, cluster: Cluster, pods: Sequence[Json]) -> None:
        """Nothing is read yet."""
        self._cluster, self._pods = cluster, pods
        self._over = threading.Event()
        self._looks: list[Load] = []

    def look(self) -> None:
        """Read every pod once."""
        pages = [page(self._cluster, each) for each in self._pods]
        self._looks.append(together(read_load(text) for text in pages if text is not None))

    def go_on(self) -> None:
        """Read until `end`."""
        while not self._over.wait(_EVERY_SECONDS):
            self.look()

    def end(self) -> None:
        """Read no more."""
        self._over.set()

    @property
    def told(self) -> dict[str, float]:
        """What was seen; nothing where no pod answered."""
        looks = [each for each in self._looks if each.pods]
        if not looks:
            return {}
        caches = [each.cache for each in looks if each.cache is not None]
        made: dict[str, float] = {
            "running": max(each.running for each in looks),
            "waiting": max(each.waiting for each in looks),
            "preemptions": max(0.0, looks[-1].preempted - looks[0].preempted),
        }
        return {**made, "cache": max(caches)} if caches else made


@contextmanager
def watched(cluster: Cluster, pods: Sequence[Json]) -> Iterator[Watched]:
    """Look at the pods every second while the block runs."""
    seen = Watched(cluster, pods)
    seen.look()
    thread = threading.Thread(target=seen.go_on, name="watched", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        seen.end()
        thread.join()
        seen.look()
