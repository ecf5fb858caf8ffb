"""A proxy between the operator and the real API server that fails as a test tells it to."""

import asyncio
import json
import threading
import time
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
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator asked for; `at` is monotonic."""

    method: str
    path: str
    watch: bool
    at: float

    @property
    def writes(self) -> bool:
        """Whether it would change something."""
        return self.method not in _READING

    @property
    def lists(self) -> bool:
        """Whether it lists a kind: the path ends in a plural."""
        return self.method == "GET" and not self.watch and self.path.rsplit("/", 1)[1].endswith("s")


Answer = tuple[int, dict[str, str]]
"""HTTP status and headers that stand in for the API server's."""


@dataclass
class Faults:
    """What goes wrong; a test sets these at any time.

    Attributes:
        away: nobody listens, as it were: every connection ends at once, watches too.
        refuse: answers instead of the API server, or None to let a request pass.
        delay: seconds that pass before a request is carried out.
        reset: whether a request's connection ends before it is carried out.
        lose: whether the answer to a request that was carried out is lost.
        instead: what the body of an answer is replaced by, or None to leave it.
        tear: whether an answer ends in its middle, a watch's in the middle of a line.
        hide: whether a watch's event is never delivered.
        speak: what a watch says instead of an event, or None; it ends then.
        seen: every request so far.
    """

    away: bool = False
    refuse: Callable[[Request], Answer | None] = lambda _request: None
    delay: Callable[[Request], float] = lambda _request: 0.0
    reset: Callable[[Request], bool] = lambda _request: False
    lose: Callable[[Request], bool] = lambda _request: False
    instead: Callable[[Request, bytes], bytes | None] = lambda _request, _body: None
    tear: Callable[[Request], bool] = lambda _request: False
    hide: Callable[[Event], bool] = lambda _event: False
    speak: Callable[[Request, Event], Event | None] = lambda _request, _event: None
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
        self._watches: list[web.Request] = []

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        """End, whatever is under way."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def cut(self) -> None:
        """End every watch."""

        def end() -> None:
            for each in list(self._watches):
                _abort(each)

        self._loop.call_soon_threadsafe(end)

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
        # What still says good-bye at the end is broken off, however long the server takes. Who asks
        # is who the operator's own token says.
        connector = aiohttp.TCPConnector(
            ssl=self._api.anonymous_tls, limit=0, enable_cleanup_closed=True
        )
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
        # Connections end on the next turns of the loop.
        await asyncio.sleep(0.2)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        faults = self._faults
        asked = Request(request.method, request.path, "watch" in request.query, time.monotonic())
        faults.seen.append(asked)
        await asyncio.sleep(faults.delay(asked))
        if faults.away or faults.reset(asked):
            return _abort(request)
        if (answer := faults.refuse(asked)) is not None:
            status, headers = answer
            body = {"kind": "Status", "status": "Failure", "code": status, "message": "by test"}
            return web.json_response(body, status=status, headers=headers)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in {"host", *_HOP}}
        headers["Accept-Encoding"] = "identity"
        url = f"https://{self._api.address}{request.raw_path}"
        data = await request.read()
        timeout = aiohttp.ClientTimeout(total=None)
        try:
            async with self._client.request(
                request.method, url, data=data or None, headers=headers, timeout=timeout
            ) as found:
                return await self._pass_on(request, asked, found)
        except aiohttp.ClientConnectionError:
            return _abort(request)

    async def _pass_on(
        self, request: web.Request, asked: Request, found: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        kept = {k: v for k, v in found.headers.items() if k.lower() not in _HOP}
        if asked.watch:
            return await self._stream(request, asked, found, kept)
        body = await found.read()
        body = self._faults.instead(asked, body) or body
        if self._faults.lose(asked):
            return _abort(request)
        if self._faults.tear(asked):
            torn = web.StreamResponse(status=found.status, headers=kept)
            torn.content_length = len(body)
            await torn.prepare(request)
            await torn.write(body[: len(body) // 2])
            return _abort(request)
        return web.Response(body=body, status=found.status, headers=kept)

    async def _stream(
        self,
        request: web.Request,
        asked: Request,
        found: aiohttp.ClientResponse,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=found.status, headers=headers)
        await response.prepare(request)
        self._watches.append(request)
        try:
            async for line in _lines(found.content):
                event = json.loads(line)
                if (instead := self._faults.speak(asked, event)) is not None:
                    await response.write(json.dumps(instead).encode() + b"\n")
                    return response
                if self._faults.tear(asked):
                    await response.write(line[: len(line) // 2])
                    return _abort(request)
                if not self._faults.hide(event):
                    await response.write(line)
        finally:
            self._watches.remove(request)
        return response


def _abort(request: web.Request) -> web.Response:
    """The connection ends without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _lines(content: aiohttp.StreamReader) -> Any:
    begun = b""
    async for data in content.iter_any():
        *whole, begun = (begun + data).split(b"\n")
        for line in whole:
            yield line + b"\n"


def status(code: int, reason: str) -> Event:
    """What an API server says in a watch that it cannot go on with."""
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return {"type": "ERROR", "object": {**told, "reason": reason, "message": "by test"}}


@contextmanager
def proxying(api: Api, kubeconfig: Path, folder: Path) -> Iterator[tuple[Path, Faults, Proxy]]:
    """A kubeconfig that leads through a proxy, what goes wrong in it, and the proxy."""
    faults = Faults()
    proxy = Proxy(api, faults)
    proxy.start()
    try:
        copy = folder / f"through-the-proxy-{proxy.port}"
        redirected(kubeconfig, copy, f"http://127.0.0.1:{proxy.port}")
        yield copy, faults, proxy
    finally:
        proxy.stop()


@contextmanager
def proxied(api: Api, kubeconfig: Path, folder: Path) -> Iterator[tuple[Path, Faults]]:
    """A kubeconfig that leads through a proxy, and what goes wrong in it."""
    with proxying(api, kubeconfig, folder) as (copy, faults, _):
        yield copy, faults
