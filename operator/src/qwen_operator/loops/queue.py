"""Which QwenDeployments wait for a pass: each at most once, none while it is being worked on."""

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Callable

from qwen_operator.naming import Key

TOGETHER_SECONDS = 0.1
"""What is not to be done at once becomes due together, so often: one after another, each with its
own waking, passes take almost three times the CPU (0.5 ms of a rendering become 1.5)."""


class Queue:
    """A deduplicating queue with due times; for one event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Make an empty one; `clock` is monotonic, in seconds, and the event loop's own."""
        self._clock = clock
        self._due: dict[Key, float] = {}
        self._later: set[Key] = set()
        # What is asked for goes before what is only looked at again.
        self._heaps: tuple[list[tuple[float, Key]], list[tuple[float, Key]]] = ([], [])
        self._busy: set[Key] = set()
        # One worker is woken for one key: to wake all for each would be most of their work.
        self._idle: deque[asyncio.Future[Key]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

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

    def poke(self, key: Key, after: float = 0.0, *, again: bool = False) -> None:
        """Ask for a pass in so many seconds; the earliest wish of several counts.

        Args:
            key: whose.
            after: from now.
            again: nothing is known to have happened; whatever else is due goes first.
        """
        due = self._clock() + after
        if after > 0:
            due = math.ceil(due / TOGETHER_SECONDS) * TOGETHER_SECONDS
        known = self._due.get(key, due + 1)
        if known <= due and (again or key not in self._later):
            return
        self._due[key] = min(known, due)
        if again and known > due:
            self._later.add(key)
        else:
            self._later.discard(key)
        if key not in self._busy:
            self._push(key)
            self._hand_out()

    def _push(self, key: Key) -> None:
        heapq.heappush(self._heaps[key in self._later], (self._due[key], key))

    def _pop(self) -> tuple[Key | None, float | None]:
        """The next key that is due, or the seconds until one will be."""
        waits = []
        for later, heap in enumerate(self._heaps):
            while heap:
                due, key = heap[0]
                stale = self._due.get(key) != due or (key in self._later) != bool(later)
                if stale or key in self._busy:
                    heapq.heappop(heap)
                    continue
                if (wait := due - self._clock()) > 0:
                    waits.append(wait)
                    break
                heapq.heappop(heap)
                del self._due[key]
                self._later.discard(key)
                self._busy.add(key)
                return key, None
        return None, min(waits, default=None)

    def _hand_out(self) -> None:
        """Give what is due to those who wait for it, and come back when more will be."""
        while self._idle:
            if self._idle[0].done():
                self._idle.popleft()
                continue
            key, wait = self._pop()
            if key is not None:
                self._idle.popleft().set_result(key)
                continue
            if self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None
            if wait is not None:
                self._alarm = asyncio.get_running_loop().call_later(wait, self._hand_out)
            return

    async def get(self) -> Key:
        """Wait for the next key that is due and take it; `done` gives it back."""
        if not self._idle and (key := self._pop()[0]) is not None:
            return key
        mine: asyncio.Future[Key] = asyncio.get_running_loop().create_future()
        self._idle.append(mine)
        self._hand_out()
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                # Handed to somebody who is not there any more.
                self.poke(mine.result())
                self.done(mine.result())
            raise

    def done(self, key: Key) -> None:
        """End the work on a key; what was asked for meanwhile becomes due."""
        self._busy.discard(key)
        if key in self._due:
            self._push(key)
            self._hand_out()
