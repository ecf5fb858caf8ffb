"""Which QwenDeployments wait for a pass: each at most once, none while it is being worked on."""

import asyncio
import heapq
from collections.abc import Callable

from qwen_operator.naming import Key


class Queue:
    """A deduplicating queue with due times; for one event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Make an empty one; `clock` is monotonic, in seconds, and the event loop's own."""
        self._clock = clock
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._busy: set[Key] = set()
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._due)

    @property
    def oldest(self) -> float:
        """How long the key that waits longest has been due, in seconds; 0 if none is due."""
        return max(0.0, self._clock() - min(self._due.values(), default=self._clock()))

    @property
    def busy(self) -> int:
        """How many are being worked on."""
        return len(self._busy)

    def poke(self, key: Key, after: float = 0.0) -> None:
        """Ask for a pass in so many seconds; the earliest wish of several counts."""
        due = self._clock() + after
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        if key not in self._busy:
            heapq.heappush(self._heap, (due, key))
            self._news.set()

    def _pop(self) -> tuple[Key | None, float | None]:
        """The next key that is due, or the seconds until one will be."""
        while self._heap:
            due, key = self._heap[0]
            if self._due.get(key) != due or key in self._busy:
                heapq.heappop(self._heap)
                continue
            wait = due - self._clock()
            if wait > 0:
                return None, wait
            heapq.heappop(self._heap)
            del self._due[key]
            self._busy.add(key)
            return key, None
        return None, None

    async def get(self) -> Key:
        """Wait for the next key that is due and take it; `done` gives it back."""
        while True:
            key, wait = self._pop()
            if key is not None:
                return key
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), wait)
            except TimeoutError:
                continue

    def done(self, key: Key) -> None:
        """End the work on a key; what was asked for meanwhile becomes due."""
        self._busy.discard(key)
        if key in self._due:
            heapq.heappush(self._heap, (self._due[key], key))
            self._news.set()
