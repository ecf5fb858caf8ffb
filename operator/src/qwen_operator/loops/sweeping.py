"""Listing everything: at first, and at intervals in case a watch lost something."""

import asyncio
import itertools
import logging
import random
from collections.abc import Awaitable, Callable

from qwen_operator.cluster.protocol import QWEN, WATCHED, Cluster, Kind
from qwen_operator.errors import OperatorError
from qwen_operator.loops.hearing import Hearing
from qwen_operator.loops.meters import Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.naming import MANAGED_SELECTOR, Key
from qwen_operator.observe.store import Store
from qwen_operator.settings import Settings

log = logging.getLogger(__name__)

_RETRY_SECONDS = 3.0

Where = tuple[Kind, str | None]
"""A kind, and a namespace or all of them."""

Versions = dict[Where, str]


def selector(kind: Kind) -> str:
    """Which objects of a kind are ours."""
    return "" if kind is QWEN else MANAGED_SELECTOR


async def list_into(store: Store, where: Where, cluster: Cluster) -> tuple[set[Key], str]:
    """List a kind into the store, page after page, and forget what is not there.

    Returns:
        Whose objects changed, and the version of the list.

    Raises:
        OperatorError: the listing failed; nothing was forgotten.
    """
    kind, namespace = where
    ghosts, changed, version = store.known(kind, namespace), set[Key](), ""
    async for page in cluster.pages(kind, namespace, selector(kind)):
        version = page.version
        for body in page.items:
            ghosts.discard(body["metadata"]["uid"])
            changed.update(store.put(body))
    return changed | set(store.forget(kind, ghosts)), version


async def sweep(
    cluster: Cluster, store: Store, queue: Queue, settings: Settings
) -> tuple[int, Versions]:
    """List everything once; what watches missed is poked, what is gone is forgotten.

    Returns:
        How many resources had news that no watch had told of, and the versions of the lists.

    Raises:
        OperatorError: a listing failed; of its kind nothing was forgotten.
    """
    missed, versions, failed = set[Key](), Versions(), list[OperatorError]()
    namespaces = settings.watch_namespaces or (None,)
    try:
        # Children first: a resource must not be passed over while its children seem to be missing.
        for kinds in (WATCHED, (QWEN,)):
            # One after another: pages of all kinds at once would take tens of megabytes, and time
            # from what users wait for.
            for where in itertools.product(kinds, namespaces):
                try:
                    changed, versions[where] = await list_into(store, where, cluster)
                except OperatorError as problem:
                    failed.append(problem)
                else:
                    missed.update(changed)
            if failed:
                raise failed[0]
    finally:
        for key in missed:
            queue.poke(key, again=True)
    return len(missed), versions


async def sweep_until_it_works(
    cluster: Cluster, store: Store, queue: Queue, settings: Settings
) -> Versions:
    """The first sweep, before any work: without it an empty store looks like an empty cluster."""
    while True:
        try:
            return (await sweep(cluster, store, queue, settings))[1]
        except OperatorError as problem:
            log.warning("cannot start yet, trying again in %.0f s: %s", _RETRY_SECONDS, problem)
            await asyncio.sleep(_RETRY_SECONDS)


async def keep_sweeping(
    cluster: Cluster,
    watched: tuple[Store, Queue, Hearing],
    doing: tuple[Settings, Meters, Callable[[], Awaitable[None]]],
) -> None:
    """Sweep for ever, at intervals with jitter.

    Args:
        cluster: what is listed.
        watched: what was last seen, who waits for a pass, and what the watches told.
        doing: the settings, what counts sweeps, and what tidies up after each, at first too.
    """
    store, queue, hearing = watched
    settings, meters, tidy = doing
    chance = random.Random()  # noqa: S311 - jitter, no secret
    while True:
        await tidy()
        await asyncio.sleep(settings.sweep_interval_seconds * chance.uniform(0.8, 1.2))
        try:
            hearing.swept((await sweep(cluster, store, queue, settings))[0])
        except OperatorError as problem:
            meters.sweeps.labels(outcome="failed").inc()
            log.warning("sweep failed, the next one will do: %s", problem)
        else:
            meters.sweeps.labels(outcome="done").inc()
