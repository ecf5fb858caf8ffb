"""The operator's own HTTP endpoints: /metrics, /healthz and /readyz."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from qwen_operator.errors import Refused
from qwen_operator.loops.meters import Meters


class _Read(Collector):
    """What was read already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


Check = Callable[[], str | None]
"""None when all is well, else what is wrong."""


def _handler(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(_request: web.Request) -> web.StreamResponse:
        wrong = check()
        return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

    return handle


@contextlib.asynccontextmanager
async def serve(port: int, meters: Meters, checks: tuple[Check, Check]) -> AsyncIterator[None]:
    """Serve while the context lasts.

    Args:
        port: TCP port, on all addresses.
        meters: what /metrics shows.
        checks: what /healthz and /readyz ask.

    Raises:
        Refused: the port cannot be had.
    """

    async def metrics(_request: web.Request) -> web.Response:
        found = CollectorRegistry()
        # Read here, where nothing changes meanwhile; written as text in a thread, which for a
        # thousand resources takes a tenth of a second.
        found.register(_Read(list(meters.registry.collect())))
        body = await asyncio.to_thread(generate_latest, found)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    healthz, readyz = checks
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", _handler(healthz))
    app.router.add_get("/readyz", _handler(readyz))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, port=port).start()
        except OSError as problem:
            words = f"cannot serve /metrics and /healthz on port {port}: {problem.strerror}"
            raise Refused(f"{words}; set QWEN_OPERATOR_PORT to a free port") from problem
        yield
    finally:
        await runner.cleanup()
