"""The page's own HTTP server: the page, its feed, one model, and the chat."""

import asyncio
import contextlib
import hashlib
import importlib.resources
import json
import mimetypes
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from qwen_operator import __version__
from qwen_operator.errors import Gone, InvalidSpec, OperatorError, Refused, Unreachable
from qwen_operator.naming import Key
from qwen_operator.observe.sights import Watched
from qwen_operator.page.chat import MOST_BYTES, Busy, Chat, read_asked
from qwen_operator.page.feed import Feed
from qwen_operator.page.guard import add_headers, guarded
from qwen_operator.page.rows import detail, model, models, row
from qwen_operator.settings import Settings
from qwen_operator.triton.openai import Piece, Talker

Json = dict[str, Any]

_MOST_VIEWERS = 64
_WRITE_SECONDS = 30.0
"""How long a browser may not take what is sent before it is left alone."""

_END_SECONDS = 1.0
"""How long open pages and running answers hold up the operator's own end."""

_STATUS: tuple[tuple[type[OperatorError], int], ...] = (
    (InvalidSpec, 400),
    (Gone, 404),
    (Busy, 429),
    (Refused, 409),
    (Unreachable, 502),
)

Standby = Callable[[], str | None]
"""Who leads in this operator's place; None while this one leads. Empty where nobody is known."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page."""

    body: bytes
    kind: str
    tag: str


def assets() -> dict[str, Asset]:
    """Every file of the page, read once: name → content."""
    found = {}
    for each in importlib.resources.files(__package__).joinpath("assets").iterdir():
        body = each.read_bytes()
        kind = mimetypes.guess_type(each.name)[0] or "application/octet-stream"
        found[each.name] = Asset(body, kind, hashlib.sha256(body).hexdigest()[:16])
    return found


def _line(value: Json) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half of a pair of surrogates, which JSON can write and UTF-8 cannot, becomes a question mark.
    return text.encode(errors="replace") + b"\n"


def _refusal(problem: OperatorError) -> web.Response:
    status = next(code for kind, code in _STATUS if isinstance(problem, kind))
    return web.json_response({"error": str(problem)}, status=status)


class Page:
    """The handlers."""

    def __init__(
        self, watched: Watched, settings: Settings, talker: Talker, standby: Standby
    ) -> None:
        self._watched, self.settings, self._standby = watched, settings, standby
        self._feed = Feed(lambda: ((key, row(each)) for key, each in models(watched)))
        self._chat = Chat(watched, talker) if settings.page_chat else None
        self._assets = assets()

    def application(self) -> web.Application:
        """Everything that is served."""
        app = web.Application(
            middlewares=[guarded(self.settings.page_hosts), self._leading],
            client_max_size=MOST_BYTES,
        )
        app.on_response_prepare.append(add_headers)
        app.router.add_get("/", self._asset)
        app.router.add_get("/assets/{name}", self._asset)
        app.router.add_get("/api/feed", self._changes)
        app.router.add_get("/api/models/{namespace}/{name}", self._detail)
        if self._chat is not None:
            app.router.add_post("/api/chat", self._answer)
        return app

    @web.middleware
    async def _leading(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """A standby has seen nothing; the next connection may reach the leader."""
        if request.path.startswith("/api/") and (leader := self._standby()) is not None:
            answer = web.json_response({"standby": leader}, status=503)
            answer.force_close()
            return answer
        return await handler(request)

    async def _asset(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info.get("name", "index.html"))
        if asset is None:
            raise web.HTTPNotFound
        headers = {"ETag": f'"{asset.tag}"', "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=asset.body, content_type=asset.kind, charset="utf-8", headers=headers
        )

    async def _detail(self, request: web.Request) -> web.Response:
        key = Key(request.match_info["namespace"], request.match_info["name"])
        found = model(self._watched, key)
        if found is None:
            return _refusal(Gone(f"there is no QwenDeployment {key} any more"))
        return web.json_response(
            {**detail(found), "now": time.time()}, headers={"Cache-Control": "no-store"}
        )

    def _about(self) -> Json:
        return {
            "version": __version__,
            "namespaces": list(self.settings.watch_namespaces),
            "chat": self._chat is not None,
        }

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        if self._feed.viewers >= _MOST_VIEWERS:
            words = f"{_MOST_VIEWERS} pages are open; close one, or read /metrics"
            return web.json_response({"error": words}, status=503)
        answer = await _begin(request, "text/event-stream")
        about: Json = {"about": self._about()}
        async with contextlib.aclosing(self._feed.changes()) as changes:
            async for change in changes:
                told = about | {"now": time.time(), "rows": change.rows, "gone": change.gone}
                await _write(answer, b"data: " + _line(told) + b"\n")
                about = {}
        return answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert self._chat is not None  # noqa: S101 - the route exists only then
        if request.content_type != "application/json":
            # What a form of another site could send is not even read.
            return web.json_response({"error": "a question comes as JSON"}, status=415)
        try:
            asked = read_asked(await request.read())
        except InvalidSpec as problem:
            return _refusal(problem)
        return await self._told(request, self._chat.answer(asked))

    async def _told(
        self, request: web.Request, pieces: AsyncGenerator[Piece]
    ) -> web.StreamResponse:
        """The answer, one JSON object a line; what goes wrong before it begins is a status."""
        begun: web.StreamResponse | None = None
        async with contextlib.aclosing(pieces):
            try:
                async for piece in pieces:
                    begun = begun or await _begin(request, "application/x-ndjson")
                    await _write(begun, _line(_said(piece)))
            except OperatorError as problem:
                if begun is None:
                    return _refusal(problem)
                await _write(begun, _line({"error": str(problem)}))
        return begun or web.json_response({"error": "the model said nothing"}, status=502)


def _said(piece: Piece) -> Json:
    told = {
        "text": piece.text,
        "thought": piece.thought,
        "finish": piece.finish,
        "tokens": piece.tokens,
    }
    return {name: value for name, value in told.items() if value not in (None, "")}


async def _begin(request: web.Request, kind: str) -> web.StreamResponse:
    headers = {"Content-Type": kind, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    return answer


async def _write(answer: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(_WRITE_SECONDS):
        await answer.write(data)


@contextlib.asynccontextmanager
async def serve_page(page: Page) -> AsyncIterator[None]:
    """Serve while the context lasts; at once for the pod itself alone, unless it has names.

    Raises:
        Refused: the port cannot be had.
    """
    runner = web.AppRunner(
        page.application(),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=_END_SECONDS,
    )
    await runner.setup()
    settings = page.settings
    # `kubectl port-forward` arrives on the pod's loopback, and whoever may do that was asked by
    # the API server; other pods reach the page only where it was given names to be offered under.
    host = None if settings.page_hosts else "127.0.0.1"
    try:
        try:
            await web.TCPSite(runner, host, settings.page_port).start()
        except OSError as problem:
            words = f"cannot serve the page on port {settings.page_port}: {problem.strerror}"
            raise Refused(f"{words}; set QWEN_OPERATOR_PAGE_PORT to a free port") from problem
        yield
    finally:
        await runner.cleanup()
