"""Asking a pod through its OpenAI door: what counts as an answer, and that no pod can hurt us."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.errors import OperatorError, Refused, Unreachable
from qwen_operator.triton.openai import HttpTalker, Piece, Question, read_piece

QUESTION = Question("qwen", ({"role": "user", "content": "Hi"},), {"max_tokens": 5})


def event(value: object) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def delta(**parts: object) -> dict[str, Any]:
    return {"choices": [{"delta": parts}]}


LAST = {"choices": [], "usage": {"completion_tokens": 2}}
DONE = event(b"[DONE]")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def pod(handler: Handler) -> AsyncIterator[HttpTalker]:
    """A model pod on loopback with this behind :9000, and a talker for it."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield HttpTalker(port=runner.addresses[0][1])
    finally:
        await runner.cleanup()


def streaming(*parts: bytes) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for part in parts:
            await answer.write(part)
        return answer

    return handle


async def heard(handler: Handler, question: Question = QUESTION) -> list[Piece]:
    async with pod(handler) as talker, asyncio.timeout(30):
        return [piece async for piece in talker.ask("127.0.0.1", question)]


async def test_text_thoughts_the_end_and_the_tokens_are_heard() -> None:
    parts = (
        event(delta(role="assistant")),
        event(delta(reasoning_content="hm")),
        event(delta(reasoning="m")),
        b": a comment\n\n" + event(delta(content="Hel")),
        event(delta(content="lo 你")),
        event({"choices": [{"delta": {}, "finish_reason": "stop"}]}),
        event(LAST),
        DONE,
    )
    pieces = await heard(streaming(*parts))
    assert "".join(each.text for each in pieces) == "Hello 你"
    assert "".join(each.thought for each in pieces) == "hmm"
    assert [each.finish for each in pieces if each.finish] == ["stop"]
    assert pieces[-1].tokens == 2


async def test_the_question_goes_as_openai_has_it_with_the_key_in_its_header() -> None:
    seen: dict[str, Any] = {}

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.update(await request.json(), key=request.headers.get("Authorization"))
        return await streaming(DONE)(request)

    await heard(handle)
    assert seen == {
        "model": "qwen",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "key": None,
    }
    await heard(handle, Question("qwen", QUESTION.messages, {}, "abc"))
    assert seen["key"] == "Bearer abc"


def refusing(status: int, body: str) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body)

    return handle


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, '{"error": {"message": "too long"}}', Refused, "too long"),
        (401, '{"error": {"message": "no"}}', Refused, "does not take this key"),
        (404, "Not Found", Refused, "no OpenAI endpoint"),
        (503, '{"error": {"message": "queue full"}}', Unreachable, "queue full"),
        (500, "<html>", Refused, "HTTP 500"),
        (302, "", Refused, "HTTP 302"),
    ],
)
async def test_a_refusal_is_told_in_the_model_s_words(
    status: int, body: str, kind: type[OperatorError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        await heard(refusing(status, body))


@pytest.mark.parametrize(
    "parts",
    [
        (event(delta(content="Hel")),),
        (event({"error": {"message": "engine dead"}}),),
        (event({"error": "engine dead"}),),
        (b"data: " + b"x" * 300_000,),
        (*(event(delta(content="x" * 60_000)) for _ in range(80)), DONE),
    ],
    ids=["half", "an error", "an error in a word", "a line without end", "too much"],
)
async def test_an_answer_that_breaks_off_or_has_no_end_is_told(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(Unreachable):
        await heard(streaming(*parts))


async def test_a_redirect_is_not_followed() -> None:
    asked = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        raise web.HTTPTemporaryRedirect("/v1/chat/completions?elsewhere")

    with pytest.raises(Refused):
        await heard(handle)
    assert asked == ["/v1/chat/completions"]


async def test_a_pod_that_is_not_there_is_told() -> None:
    async with pod(streaming(DONE)) as talker:
        pass
    with pytest.raises(Unreachable, match="could not ask"):
        async for _ in talker.ask("127.0.0.1", QUESTION):
            pass


async def test_only_an_ip_address_is_ever_asked() -> None:
    with pytest.raises(ValueError, match="address"):
        async for _ in HttpTalker(port=1).ask("metadata.internal", QUESTION):
            pass


async def test_closing_the_answer_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(event(delta(content="x")))
                await asyncio.sleep(0.01)
        except (asyncio.CancelledError, ConnectionError):
            gone.set()
            raise

    async with pod(handle) as talker, asyncio.timeout(30):
        async with contextlib.aclosing(talker.ask("127.0.0.1", QUESTION)) as pieces:
            async for _ in pieces:
                break
        await gone.wait()


@pytest.mark.parametrize(
    "text",
    ["", "1", "null", "[]", "{", '"x"', '{"choices": 3}', '{"choices": [7]}', '{"usage": 1}'],
)
def test_an_event_that_is_none_is_no_error(text: str) -> None:
    assert read_piece(text.encode()) in {None, Piece()}


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    with contextlib.suppress(Unreachable):
        read_piece(body)
