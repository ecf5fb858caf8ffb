"""Rounds at intervals: scraping every model pod, and asking why those do not start that do not."""

import asyncio
import logging
import time
import zlib
from collections.abc import Iterable

from qwen_operator.cluster.protocol import POD, Cluster
from qwen_operator.errors import OperatorError
from qwen_operator.loops.meters import Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.observe.capacity import Capacity
from qwen_operator.observe.engines import Engines
from qwen_operator.observe.store import Store, key_of
from qwen_operator.observe.warnings import Warnings
from qwen_operator.settings import Settings

log = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0

_SPREAD = 0.8
"""Share of the interval over which a round is spread."""

_TURN_SECONDS = 0.1
"""Between the turns of a round. What is read together takes less CPU than one by one, since caches
are warm; of a thousand pods twenty-five at once keep other work waiting for some five
milliseconds."""


def _turns(uids: Iterable[str], count: int) -> list[list[str]]:
    """Pods by turn: the same in every round whoever comes and goes, so that intervals are even."""
    turns: list[list[str]] = [[] for _ in range(count)]
    for uid in uids:
        turns[zlib.crc32(uid.encode()) % count].append(uid)
    return turns


async def scrape(
    watched: tuple[Store, Engines], queue: Queue, over: float = 0.0, busy: set[str] | None = None
) -> None:
    """One round over all model pods; resources whose engines changed are poked.

    Args:
        watched: the pods, and what reads them.
        queue: who is poked.
        over: seconds over which the readings are spread: a thousand at once would keep everything
            else waiting for a quarter of a second.
        busy: uids of pods that are being read, by this round or by one that has not ended.
    """
    store, engines = watched
    engines.forget_all_but(store.pods())
    reading = set() if busy is None else busy

    async def one(uid: str) -> None:
        # As it is when its turn comes.
        pod = store.one(POD, uid)
        if pod is None or uid in reading:
            return
        reading.add(uid)
        try:
            if await engines.read(pod) and (key := key_of(pod)) is not None:
                queue.poke(key)
        finally:
            reading.discard(uid)

    turns = _turns(store.known(POD, None), 1 + int(over / _TURN_SECONDS))
    async with asyncio.TaskGroup() as group:
        for place, turn in enumerate(turns):
            for uid in turn:
                group.create_task(one(uid))
            if any(turns[place + 1 :]):
                await asyncio.sleep(_TURN_SECONDS)


async def keep_scraping(
    watched: tuple[Store, Engines], queue: Queue, settings: Settings, meters: Meters
) -> None:
    """Scrape for ever, a round each interval; the first has been made before.

    A round waits for nobody: pods that hang delay only their own next reading.
    """
    interval, busy = settings.scrape_interval_seconds, set[str]()

    async def one_round() -> None:
        started = time.monotonic()
        await scrape(watched, queue, interval * _SPREAD, busy)
        meters.scrape_cycle.observe(time.monotonic() - started)

    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(interval)
            group.create_task(one_round())


async def look_up_warnings(cluster: Cluster, watched: tuple[Store, Warnings], queue: Queue) -> None:
    """One round over pods that do not start; resources with news are poked."""
    store, warnings = watched
    for pod in warnings.due(store.pods()):
        try:
            news = await warnings.ask(cluster, pod)
        except OperatorError as problem:
            log.warning("cannot tell why a pod does not start: %s", problem)
            return
        if news and (key := key_of(pod)) is not None:
            queue.poke(key)


async def look_up_capacity(cluster: Cluster, watched: tuple[Store, Capacity], queue: Queue) -> None:
    """One round over what pods wait for; their resources are poked when the answer is another."""
    store, capacity = watched
    pods = store.pods()
    for name in sorted(capacity.due(pods)):
        try:
            news = await capacity.ask(cluster, name)
        except OperatorError as problem:
            log.warning("cannot tell how many %s are free: %s", name, problem)
            return
        waiting = (key_of(pod) for pod in pods if news and capacity.of(pod) is not None)
        for key in set(filter(None, waiting)):
            queue.poke(key)


async def keep_looking_up(
    cluster: Cluster,
    watched: tuple[Store, Warnings, Capacity],
    doing: tuple[Queue, Settings],
) -> None:
    """Look for ever, every few seconds, at what only pods that do not start are a reason to ask."""
    (store, warnings, capacity), (queue, settings) = watched, doing
    while True:
        await look_up_warnings(cluster, (store, warnings), queue)
        if not settings.watch_namespaces:
            # Nodes, and pods of others, are not for those who may look into namespaces alone.
            await look_up_capacity(cluster, (store, capacity), queue)
        await asyncio.sleep(_LOOK_SECONDS)
