"""What changes in the fleet, for all open pages at once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from qwen_operator.naming import Key

Json = dict[str, Any]
Look = Callable[[], Iterator[tuple[Key, Json]]]

INTERVAL_SECONDS = 2.0
_AT_ONCE = 50
"""Rows that are made before the operator's other work gets a turn."""

_MOST_GONE = 4096


@dataclass(frozen=True, slots=True)
class Change:
    """What one page does not know yet.

    Attributes:
        rows: new ones and those that differ.
        gone: whose rows are to be removed.
    """

    rows: list[Json]
    gone: list[Key]


class Feed:
    """Looks at the fleet at intervals while anybody watches, and tells each page what is new to it.

    A page that is slow skips looks and loses nothing: what it gets is computed when it asks.
    """

    def __init__(self, look: Look, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._look, self._interval = look, interval_seconds
        self._rows: dict[Key, tuple[int, Json]] = {}
        self._gone: dict[Key, int] = {}
        self._version = 0
        self._viewers = 0
        self._looking: asyncio.Task[None] | None = None
        self._looked = asyncio.Event()

    @property
    def viewers(self) -> int:
        """Pages that are open."""
        return self._viewers

    async def changes(self) -> AsyncGenerator[Change]:
        """Everything first, then what is new after each look, be it nothing."""
        self._enter()
        try:
            known = 0
            while True:
                await self._next_look()
                change, known = self._since(known), self._version
                yield change
        finally:
            self._leave()

    def _enter(self) -> None:
        self._viewers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking())

    def _leave(self) -> None:
        self._viewers -= 1
        if not self._viewers and self._looking is not None:
            self._looking.cancel()
            self._looking = None
            self._rows.clear()
            self._gone.clear()

    async def _next_look(self) -> None:
        """Wait for it.

        Raises:
            Exception: whatever ended the looking; nobody waits for what will not come.
        """
        looking = self._looking
        if looking is None:
            return
        waiting = asyncio.ensure_future(self._looked.wait())
        try:
            await asyncio.wait({waiting, looking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if looking.done() and not looking.cancelled():
            looking.result()

    async def _keep_looking(self) -> None:
        while True:
            await self._look_once()
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()
            await asyncio.sleep(self._interval)

    async def _look_once(self) -> None:
        version = self._version + 1
        seen = set()
        for number, (key, row) in enumerate(self._look()):
            seen.add(key)
            known = self._rows.get(key)
            if known is None or known[1] != row:
                self._rows[key] = (version, row)
                self._gone.pop(key, None)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        for key in self._rows.keys() - seen:
            del self._rows[key]
            self._gone[key] = version
        while len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]
        self._version = version

    def _since(self, known: int) -> Change:
        rows = [row for version, row in self._rows.values() if version > known]
        gone = [key for key, version in self._gone.items() if version > known]
        return Change(rows, gone)
