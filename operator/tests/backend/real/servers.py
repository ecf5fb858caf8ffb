"""The servers of a session: two start at a time, and none while a test looks.

A start keeps little more than one processor busy, with imports above all. So with the server that a
test asks for begins the next one that the session will ask for, and the test goes on when both are
there: what it measures nobody disturbs.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.backend.real.recipes import SHARED, Recipe
from tests.backend.real.server import START_SECONDS, Triton, is_ready, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import pytest


def wanted(items: Iterable[pytest.Item]) -> Iterator[tuple[str, Recipe]]:
    """What tests ask for, in their order: shared servers by fixture, their own by their marker."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        yield from ((name, SHARED[name]) for name in SHARED if name in fixtures)
        if own := item.get_closest_marker("server"):
            yield item.nodeid, own.args[0]


class Servers:
    """Servers by name, which have begun, or are still to come."""

    def __init__(self, folder: Callable[[], Path], coming: Iterable[tuple[str, Recipe]]) -> None:
        self._folder = folder
        self._coming = dict(coming)
        self._begun: dict[str, tuple[Triton, ExitStack]] = {}
        self._starting: dict[str, Triton] = {}

    def take(self, name: str) -> Triton:
        """A server, once it and whatever else starts is ready or has ended."""
        if name not in self._begun:
            self._begin(name)
            self.begin_next()
        deadline = time.monotonic() + START_SECONDS
        while self._starting and time.monotonic() < deadline:
            for each, triton in list(self._starting.items()):
                if triton.process.poll() is not None or is_ready(triton):
                    del self._starting[each]
            time.sleep(0.02)
        return self._begun[name][0]

    def begin_next(self) -> None:
        """Begin the server that is asked for next, if there is one."""
        if self._coming:
            self._begin(next(iter(self._coming)))

    def release(self, name: str) -> None:
        """Stop a server that nobody asks for any more."""
        self._starting.pop(name, None)
        self._begun.pop(name)[1].close()

    def release_all(self) -> None:
        """Stop what is left."""
        for name in list(self._begun):
            self.release(name)

    def _begin(self, name: str) -> None:
        recipe, stack = self._coming.pop(name), ExitStack()
        triton = stack.enter_context(serving(self._folder(), recipe))
        self._begun[name] = triton, stack
        self._starting[name] = triton
