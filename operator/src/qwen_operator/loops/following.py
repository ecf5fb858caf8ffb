"""Watching a kind of children: each event once, from the version of a list on.

kopf watches the resources themselves. Children have several times as many events, and kopf's care
for every single object (a task, a queue, a memory) would be much of the operator's work.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable

from qwen_operator.cluster.protocol import Cluster, Json
from qwen_operator.errors import Gone, OperatorError
from qwen_operator.loops.sweeping import Where, list_into, selector
from qwen_operator.naming import Key
from qwen_operator.observe.store import Store

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 10.0

Tell = tuple[Callable[[str, Json], None], Callable[[Key], None], Callable[[], None]]


class Follower:
    """Follows one kind in one namespace, or in all."""

    def __init__(self, cluster: Cluster, store: Store, where: Where, tell: Tell) -> None:
        """Make one.

        Args:
            cluster: who is asked.
            store: where a list goes, if the watch cannot go on without one.
            where: what is followed.
            tell: called with the type and object of each event; with each resource whose objects a
                list shows to have changed; and when the watch is broken off.
        """
        self._cluster, self._store, self._where = cluster, store, where
        self._deliver, self._poke, self._on_restart = tell
        self._version = ""

    async def _listen(self) -> None:
        """Deliver events until the server ends the watch."""
        kind, namespace = self._where
        async for event in self._cluster.watch(kind, namespace, selector(kind), self._version):
            body = event["object"]
            self._version = body["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._deliver(event["type"], body)

    async def _relist(self) -> None:
        changed, self._version = await list_into(self._store, self._where, self._cluster)
        for key in changed:
            self._poke(key)

    async def follow(self, version: str) -> None:
        """Follow for ever, whatever breaks off the watch.

        Args:
            version: of a list that is in the store already.
        """
        self._version = version
        pause, lost = _FIRST_PAUSE, False
        while True:
            started = time.monotonic()
            try:
                if lost:
                    await self._relist()
                    lost = False
                await self._listen()
            except Gone:
                # The server remembers changes for some minutes only.
                lost = True
                self._on_restart()
            except OperatorError as problem:
                log.warning("%s; watching again in %.1f s", problem, pause)
                self._on_restart()
            if time.monotonic() - started > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
                continue
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, no secret
            pause = min(2 * pause, _LONGEST_PAUSE)
