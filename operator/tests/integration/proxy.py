"""A proxy between the operator and the real API server that fails as a test tells it to."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.integration.api import Api
from tests.integration.process import redirected

_HOP = {"transfer-encoding", "content-length", "content-encoding", "connection", "date", "server"}
_READING = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator asked for."""

    method: str
    path: str
    watch: bool

    @property
    def writes(self) -> bool:
        """Whether it would change something."""
        return self.method not in _READING


Answer = tuple[int, dict[str, str]]
"""HTTP status and headers that stand in for the API server's."""


@dataclass
class Faults:
    """What goes wrong; a test sets these at any time.

    Attributes:
        refuse: answers instead of the API server, or None to let a request pass.
        lose: whether the answer to a request that was carried out is lost.
        hide: whether a watch's event is never delivered.
        seen: every request so far.
    """

    refuse: Callable[[Request], Answer | None] = lambda _request: None
    lose: Callable[[Request], bool] = lambda _request: False
    hide: Callable[[dict[str, Any]], bool] = lambda _event: False
    seen: list[Request] = field(default_factory=list)

    def writes(self) -> list[Request]:
        """Requests that could change something."""
        return [each for each in self.seen if each.writes]


class Proxy:
    """Plain HTTP towards the operator, the kubeconfig's TLS towards the API server."""

    def __init__(self, api: Api, faults: Faults) -> None:
        self._api, self._faults = api, faults
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        """End, whatever is under way."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _serve(self) -> None:
        connector = aiohttp.TCPConnector(ssl=self._api.tls, limit=0)
        self._client = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._started.set()

    async def _end(self) -> None:
        await self._runner.cleanup()
        await self._client.close()
        # TLS says good-bye on the next turns of the loop.
        await asyncio.sleep(0.2)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = Request(request.method, request.path, "watch" in request.query)
        self._faults.seen.append(asked)
        if (answer := self._faults.refuse(asked)) is not None:
            status, headers = answer
            body = {"kind": "Status", "status": "Failure", "code": status, "message": "by test"}
            return web.json_response(body, status=status, headers=headers)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in {"host", *_HOP}}
        headers["Accept-Encoding"] = "identity"
        url = f"https://{self._api.address}{request.raw_path}"
        data = await request.read()
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._client.request(
            request.method, url, data=data or None, headers=headers, timeout=timeout
        ) as found:
            kept = {k: v for k, v in found.headers.items() if k.lower() not in _HOP}
            if asked.watch:
                return await self._stream(request, found, kept)
            body_bytes = await found.read()
            if self._faults.lose(asked):
                assert request.transport is not None
                request.transport.abort()
            return web.Response(body=body_bytes, status=found.status, headers=kept)

    async def _stream(
        self, request: web.Request, found: aiohttp.ClientResponse, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=found.status, headers=headers)
        await response.prepare(request)
        async for line in found.content:
            if not self._faults.hide(json.loads(line)):
                await response.write(line)
        return response


@contextmanager
def proxied(api: Api, kubeconfig: Path, folder: Path) -> Iterator[tuple[Path, Faults]]:
    """A kubeconfig that leads through a proxy, and what goes wrong in it."""
    faults = Faults()
    proxy = Proxy(api, faults)
    proxy.start()
    try:
        copy = folder / "through-the-proxy"
        redirected(kubeconfig, copy, f"http://127.0.0.1:{proxy.port}")
        yield copy, faults
    finally:
        proxy.stop()
