"""Keeping the lease in a thread of its own, so that no busy event loop costs us leadership."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from qwen_operator.cluster.leases import ROUND_SECONDS, Election, Name
from qwen_operator.cluster.protocol import Cluster
from qwen_operator.errors import OperatorError

log = logging.getLogger(__name__)

Connect = Callable[[], AbstractAsyncContextManager[Cluster]]
_RELEASE_SECONDS = 3.0


def _wall() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Leadership:
    """A candidate's thread."""

    def __init__(
        self, connect: Connect, name: Name, tell: tuple[Callable[[], object], Callable[[], object]]
    ) -> None:
        """Make one.

        Args:
            connect: opens a way to the cluster that belongs to this thread alone.
            name: the lease and who we are.
            tell: called once, from the thread, when we lead; called once when we do not any more.
        """
        self._connect, self._name = connect, name
        self._on_won, self._on_lost = tell
        self._stop = threading.Event()
        self._election: Election | None = None
        self._thread = threading.Thread(target=self._run, name="leadership", daemon=True)

    @property
    def held(self) -> bool:
        """Whether we lead at this very moment; asked before every write."""
        return self._election is not None and self._election.held

    @property
    def alive(self) -> bool:
        """Whether the thread runs, or has not been started yet."""
        return self._thread.ident is None or self._thread.is_alive()

    @property
    def holder(self) -> str:
        """Who leads, as last seen; empty for nobody."""
        return self._election.holder if self._election else ""

    def start(self) -> None:
        """Begin to run for the lease."""
        self._thread.start()

    def stop(self) -> None:
        """Give the lease back and end; waits a few seconds at most."""
        self._stop.set()
        self._thread.join(_RELEASE_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._hold())

    async def _hold(self) -> None:
        async with self._connect() as cluster:
            election = self._election = Election(cluster, self._name, (time.monotonic, _wall))
            led = False
            while not self._stop.is_set():
                if led and not election.held:
                    # Even if it could be had again: another may have led meanwhile.
                    self._on_lost()
                    return
                await self._attempt(election)
                if election.held and not led:
                    led = True
                    log.info("leading, as %s", self._name.identity)
                    self._on_won()
                await asyncio.to_thread(self._stop.wait, ROUND_SECONDS)
            await election.release()

    async def _attempt(self, election: Election) -> None:
        before = election.holder
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                await election.attempt()
        except (OperatorError, TimeoutError) as problem:
            log.warning("lease %s/%s: %s", self._name.namespace, self._name.name, problem)
            return
        if election.holder != before and not election.held:
            log.info("standing by for %s", election.holder or "nobody")
