"""The operator's process: `python -m qwen_operator`."""

import asyncio
import contextlib
import gc
import importlib.resources
import logging
import os
import platform
import random
import secrets
import signal
import sys
import time
from datetime import UTC, datetime
from typing import Any

import uvloop

from qwen_operator import naming
from qwen_operator.cluster.api_server import ApiServer, Hooks, connect
from qwen_operator.cluster.leases import Name
from qwen_operator.cluster.protocol import QWEN
from qwen_operator.desired.repository import Files, backend_files
from qwen_operator.errors import OperatorError
from qwen_operator.fit.devices import gpu
from qwen_operator.handlers.watches import Watches
from qwen_operator.loops.backoff import Backoff
from qwen_operator.loops.endpoints import serve
from qwen_operator.loops.fleet import Fleet
from qwen_operator.loops.following import Follower
from qwen_operator.loops.hearing import Hearing
from qwen_operator.loops.leadership import Leadership
from qwen_operator.loops.logs import set_up
from qwen_operator.loops.meters import MeteredScraper, Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.loops.rounds import (
    keep_looking_up,
    keep_scraping,
    scrape,
)
from qwen_operator.loops.sweeping import keep_sweeping, sweep_until_it_works
from qwen_operator.loops.workers import work
from qwen_operator.observe.capacity import Capacity
from qwen_operator.observe.engines import Engines
from qwen_operator.observe.sights import Watched
from qwen_operator.observe.store import Store
from qwen_operator.observe.warnings import Warnings
from qwen_operator.page.server import Page, serve_page
from qwen_operator.reconcile.passes import Reconciler
from qwen_operator.settings import Settings, read_settings
from qwen_operator.triton.metrics import HttpScraper
from qwen_operator.triton.openai import HttpTalker

log = logging.getLogger("qwen_operator")

BACKEND_PACKAGE = "qwen_triton"
_USAGE_STATUS = 2
_LOST_STATUS = 3
# Two scrapes without news are bad news; half a second allows for a late round.
_PATIENCE_INTERVALS = 2.1
# The watches and the workers take turns in one interpreter; by default a turn lasts 5 ms, and an
# event that crosses from one to the other may wait for several.
_TURN_SECONDS = 0.0005
# Most of the heap is what was seen of objects, without cycles: it is searched for them less often.
_GARBAGE = (20_000, 20, 20)
# A Deployment and its pods change a dozen times while they start: one pass looks at several
# changes at once, and what users ask for goes before what merely happened. With what the watches
# and the queue gather besides it is a second on average.
_GATHER_SECONDS = 0.9


def backend() -> Files:
    """The source of the package that runs inside Triton, which is never imported here."""
    folder = importlib.resources.files(BACKEND_PACKAGE)
    found = (each for each in folder.iterdir() if each.name.endswith(".py"))
    return backend_files({each.name: each.read_text(encoding="utf-8") for each in found})


def _leave() -> None:
    """End at once: whatever is under way would be written beside another leader's work."""
    log.critical("the lease is lost, another operator may lead now: ending")
    logging.shutdown()
    os._exit(_LOST_STATUS)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Operator:
    """The parts of a running operator, put together."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings, self._loop = settings, loop
        self._meters, self._store, self._queue = Meters(), Store(), Queue(loop.time)
        self._watched = Watched(
            self._store, self._reader(), Warnings(loop.time), Capacity(loop.time)
        )
        self._watches = Watches(
            settings.watch_namespaces, self._deliver, self._meters.watch_restarts.inc
        )
        self._primed = False
        self._hearing = Hearing()
        self._meters.oldest.set_function(lambda: self._queue.oldest)
        self._meters.queued.set_function(lambda: len(self._queue))
        self._meters.busy.set_function(lambda: self._queue.busy)
        self._meters.leader.set_function(lambda: float(self._may_write()))
        self._meters.healthy.set_function(lambda: float(self._health() is None))
        self._meters.count_resources(self._store.reasons)
        self._meters.show(Fleet(self._store))
        self._leading = asyncio.Event()
        self._leadership = self._candidate() if settings.lease_namespace else None

    def _reader(self) -> Engines:
        settings = self._settings
        asked = bool(settings.page_port)
        scraper = HttpScraper(settings.scrape_timeout_seconds, with_load=asked)
        return Engines(
            MeteredScraper(scraper, self._meters),
            settings.scrape_concurrency,
            settings.scrape_interval_seconds * _PATIENCE_INTERVALS,
            self._loop.time,
        )

    def _page(self) -> contextlib.AbstractAsyncContextManager[None]:
        if not self._settings.page_port:
            return contextlib.nullcontext()
        return serve_page(Page(self._watched, self._settings, HttpTalker(), self._standby))

    def _standby(self) -> str | None:
        """Who leads, until this operator knows the fleet itself."""
        if self._primed:
            return None
        holder = "" if self._leadership is None else self._leadership.holder
        return holder.rpartition("_")[0] or holder

    def _candidate(self) -> Leadership:
        settings = self._settings
        identity = settings.lease_identity or f"{platform.node()}_{secrets.token_hex(4)}"
        return Leadership(
            lambda: connect(os.environ),
            Name(settings.lease_namespace, settings.lease_name, identity),
            (lambda: self._loop.call_soon_threadsafe(self._leading.set), _leave),
        )

    def _may_write(self) -> bool:
        return self._leadership is None or self._leadership.held

    def _deliver(self, kind: str | None, body: dict[str, Any]) -> None:
        self._loop.call_soon_threadsafe(self._take, kind, body)

    def _take(self, kind: str | None, body: dict[str, Any]) -> None:
        self._meters.last_event.set(time.time())
        self._hearing.heard()
        news = self._store.drop(body) if kind == "DELETED" else self._store.put(body)
        for key in news:
            self._queue.poke(key, 0.0 if body.get("kind") == naming.KIND else _GATHER_SECONDS)

    def _health(self) -> str | None:
        if self._leadership is not None and not self._leadership.alive:
            return "nobody keeps the lease any more"
        if self._primed and not self._watches.alive:
            return "the watches have ended"
        return self._hearing.complaint(self._queue.oldest)

    def _readiness(self) -> str | None:
        # A standby is ready to take over, and must not hold up a roll-out of the operator.
        standing_by = self._leadership is not None and self._leadership.holder
        if self._primed or (standing_by and not self._leading.is_set()):
            return None
        return "the first listing is not done yet"

    async def _operate(self, cluster: ApiServer) -> None:
        await self._leading.wait()
        settings, (store, engines, warnings, capacity) = self._settings, self._watched
        scraped = (store, engines)
        versions = await sweep_until_it_works(cluster, self._store, self._queue, settings)
        await scrape(scraped, self._queue)
        self._primed = True
        self._watches.start()
        log.info("watching %s", ", ".join(settings.watch_namespaces) or "all namespaces")
        rendering = (settings, backend())
        clocks = (_now, self._loop.time)
        one_pass = Reconciler(
            cluster,
            self._watched,
            rendering,
            clocks,
            on_start=self._meters.started,
        )
        backoff = Backoff(random.Random())  # noqa: S311 - jitter, no secret
        async with asyncio.TaskGroup() as group:
            for _ in range(settings.workers):
                group.create_task(work(self._queue, one_pass, backoff, self._meters))
            tell = (self._take, self._queue.poke, self._meters.watch_restarts.inc)
            for where, version in versions.items():
                if where[0] is not QWEN:
                    follower = Follower(cluster, self._store, where, tell)
                    group.create_task(follower.follow(version))
            group.create_task(keep_scraping(scraped, self._queue, settings, self._meters))
            group.create_task(
                keep_looking_up(cluster, (store, warnings, capacity), (self._queue, settings))
            )
            group.create_task(
                keep_sweeping(
                    cluster,
                    (self._store, self._queue, self._hearing),
                    (settings, self._meters, one_pass.tidy),
                )
            )

    async def run(self, stop: asyncio.Event) -> None:
        """Operate until told to stop."""
        settings = self._settings
        checks = (self._health, self._readiness)
        async with (
            serve(settings.port, self._meters, checks),
            self._page(),
            connect(os.environ, Hooks(self._may_write, self._meters.requested)) as cluster,
        ):
            if self._leadership is None:
                self._leading.set()
            else:
                self._leadership.start()
            operating = asyncio.create_task(self._operate(cluster))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({operating, stopping}, return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping")
            operating.cancel()
            await asyncio.wait({operating})
            ends = [self._watches.stop] if self._primed else []
            if self._leadership is not None:
                ends.append(self._leadership.stop)
            await asyncio.gather(*map(asyncio.to_thread, ends))
            if not operating.cancelled() and (defect := operating.exception()) is not None:
                raise defect


async def run(settings: Settings) -> None:
    """Operate until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Operator(settings, loop).run(stop)


def main() -> int:
    """Run the operator; the exit status is not 0 if it could not start."""
    try:
        settings = read_settings()
        set_up(settings)
        if settings.gpu_product:
            # A name that is not known is told here once, not on every resource.
            gpu(settings.gpu_product)
        sys.setswitchinterval(_TURN_SECONDS)
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings))
    except OperatorError as problem:
        sys.stderr.write(f"qwen-operator: {problem}\n")
        return _USAGE_STATUS
    return 0


if __name__ == "__main__":
    sys.exit(main())
