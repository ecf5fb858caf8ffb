"""Rounds at intervals: scraping every model pod, and listing everything in case a watch lost it."""

import asyncio
import logging
import random
import time

from qwen_operator.cluster.protocol import QWEN, WATCHED, Cluster, Json, Kind
from qwen_operator.errors import OperatorError
from qwen_operator.loops.hearing import Hearing
from qwen_operator.loops.meters import Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.naming import MANAGED_SELECTOR
from qwen_operator.observe.engines import Engines
from qwen_operator.observe.store import Store, key_of
from qwen_operator.observe.warnings import Warnings
from qwen_operator.settings import Settings

log = logging.getLogger(__name__)

_RETRY_SECONDS = 3.0
_LOOK_SECONDS = 5.0


async def scrape(store: Store, engines: Engines, queue: Queue) -> None:
    """One round over all model pods; resources whose engines changed are poked."""
    pods = store.pods()
    engines.forget_all_but(pods)

    async def one(pod: Json) -> None:
        if await engines.read(pod) and (key := key_of(pod)) is not None:
            queue.poke(key)

    await asyncio.gather(*(one(pod) for pod in pods))


async def keep_scraping(
    watched: tuple[Store, Engines], queue: Queue, settings: Settings, meters: Meters
) -> None:
    """Scrape for ever, a round each interval."""
    while True:
        started = time.monotonic()
        await scrape(*watched, queue)
        took = time.monotonic() - started
        meters.scrape_cycle.observe(took)
        await asyncio.sleep(max(0.0, settings.scrape_interval_seconds - took))


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


async def keep_looking_up_warnings(
    cluster: Cluster, watched: tuple[Store, Warnings], queue: Queue
) -> None:
    """Look for ever, every few seconds; events are listed only for pods that do not start."""
    while True:
        await look_up_warnings(cluster, watched, queue)
        await asyncio.sleep(_LOOK_SECONDS)


async def _listed(cluster: Cluster, kind: Kind, settings: Settings) -> list[Json]:
    selector = "" if kind is QWEN else MANAGED_SELECTOR
    if not settings.watch_namespaces:
        return await cluster.list(kind, None, selector)
    found = []
    for namespace in settings.watch_namespaces:
        found += await cluster.list(kind, namespace, selector)
    return found


async def sweep(cluster: Cluster, store: Store, queue: Queue, settings: Settings) -> int:
    """List everything once; what watches missed is poked, what is gone is forgotten.

    Returns:
        How many resources had news that no watch had told of.

    Raises:
        OperatorError: the listing failed; nothing was forgotten.
    """
    # Children first: a resource must not be passed over while its children seem to be missing.
    lists = [(kind, await _listed(cluster, kind, settings)) for kind in (*WATCHED, QWEN)]
    missed = {key for kind, bodies in lists for key in store.replace(kind, bodies)}
    for key in missed:
        queue.poke(key)
    return len(missed)


async def sweep_until_it_works(
    cluster: Cluster, store: Store, queue: Queue, settings: Settings
) -> None:
    """The first sweep, before any work: without it an empty store looks like an empty cluster."""
    while True:
        try:
            await sweep(cluster, store, queue, settings)
        except OperatorError as problem:
            log.warning("cannot start yet, trying again in %.0f s: %s", _RETRY_SECONDS, problem)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


async def keep_sweeping(
    cluster: Cluster, watched: tuple[Store, Queue, Hearing], settings: Settings, meters: Meters
) -> None:
    """Sweep for ever, at intervals with jitter."""
    store, queue, hearing = watched
    chance = random.Random()  # noqa: S311 - jitter, no secret
    while True:
        await asyncio.sleep(settings.sweep_interval_seconds * chance.uniform(0.8, 1.2))
        try:
            hearing.swept(await sweep(cluster, store, queue, settings))
        except OperatorError as problem:
            meters.sweeps.labels(outcome="failed").inc()
            log.warning("sweep failed, the next one will do: %s", problem)
        else:
            meters.sweeps.labels(outcome="done").inc()
