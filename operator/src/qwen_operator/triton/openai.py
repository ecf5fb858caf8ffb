"""Asking a model pod through its OpenAI door, :9000: one question, its answer as it comes.

The question goes to the pod's own address and nowhere else; the answer is bounded in time and
size, and what of it is understood is taken out: nothing is passed on as it stands.
"""

import contextlib
import ipaddress
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from qwen_operator.errors import Refused, Unreachable
from qwen_operator.naming import BACKEND_PORT

Json = dict[str, Any]

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 120.0
"""How long a busy model may let the first token wait."""

_WHOLE_SECONDS = 600.0
_MOST_BYTES = 4 * 1024 * 1024
_MOST_OF_ERROR = 4096
_PREFIX = b"data:"
_END = b"[DONE]"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        model: the served name, or an adapter's.
        messages: as OpenAI's API has them.
        limits: further members of the request, such as max_tokens.
        key: what the model's OpenAI door asks for; None where it asks for none.
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    limits: Mapping[str, float]
    key: str | None = None

    def __repr__(self) -> str:
        """Without the key and without what was said: both may end in a log."""
        return f"Question(model={self.model!r}, {len(self.messages)} messages)"


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of an answer.

    Attributes:
        text: what was answered.
        thought: what the model thought, where the image's vLLM tells it apart.
        finish: why the answer ended: stop, length …
        tokens: of the whole answer, in the last piece.
    """

    text: str = ""
    thought: str = ""
    finish: str | None = None
    tokens: int | None = None


class Talker(Protocol):
    """Asks one pod; the seam at which unit tests end."""

    def ask(self, address: str, question: Question) -> AsyncGenerator[Piece]:
        """The answer piece by piece; closing the iterator cancels it in the engine.

        Raises:
            Refused: the model does not take the question; the text is its own.
            Unreachable: no answer, or one that broke off.
        """
        ...


def read_piece(text: bytes) -> Piece | None:
    """One event of the stream; None where it says nothing.

    Raises:
        Unreachable: the event is an error.
    """
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    if "error" in found:
        raise Unreachable(f"the model broke off: {_words(found)}")
    choices = found.get("choices")
    choice = _object(choices[0] if isinstance(choices, list) and choices else None)
    delta, usage = _object(choice.get("delta")), _object(found.get("usage"))
    finish, tokens = choice.get("finish_reason"), usage.get("completion_tokens")
    return Piece(
        text=str(delta.get("content") or ""),
        thought=str(delta.get("reasoning_content") or delta.get("reasoning") or ""),
        finish=finish if isinstance(finish, str) else None,
        tokens=tokens if isinstance(tokens, int) else None,
    )


def _object(found: object) -> Json:
    return found if isinstance(found, dict) else {}


def _words(found: object) -> str:
    """An error in OpenAI's form, as its text."""
    error = found.get("error") if isinstance(found, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or "it does not say why")[:_MOST_OF_ERROR]


async def _refusal(answer: aiohttp.ClientResponse) -> Refused | Unreachable:
    text = await answer.content.read(_MOST_OF_ERROR)
    try:
        words = _words(json.loads(text))
    except ValueError:
        words = "it does not say why"
    match answer.status:
        case 401:
            return Refused("the model's OpenAI endpoint does not take this key")
        case 404:
            return Refused(f"the image offers no OpenAI endpoint, or not this name: {words}")
        case 503:
            return Unreachable(f"the model takes no question now: {words}")
        case status:
            return Refused(f"the model answered with HTTP {status}: {words}")


class HttpTalker:
    """Asks pods over HTTP, each time on a connection of its own."""

    def __init__(self, *, port: int = BACKEND_PORT) -> None:
        self._port = port

    async def ask(self, address: str, question: Question) -> AsyncGenerator[Piece]:
        """See `Talker`; `address` is the pod's IP as kubelet reported it."""
        host = ipaddress.ip_address(address)
        name = f"[{host}]" if host.version == 6 else str(host)  # noqa: PLR2004 - IP version 6
        url = f"http://{name}:{self._port}/v1/chat/completions"
        timeout = aiohttp.ClientTimeout(
            total=_WHOLE_SECONDS, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
        )
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.post(
                    url, json=_body(question), headers=_headers(question), allow_redirects=False
                ) as answer,
            ):
                if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
                    raise await _refusal(answer)
                async with contextlib.aclosing(_events(answer.content)) as events:
                    async for event in events:
                        if (piece := read_piece(event)) is not None:
                            yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            words = str(problem) or "no answer in time"
            raise Unreachable(f"could not ask the model's pod: {words}") from problem


def _body(question: Question) -> Json:
    return {
        "model": question.model,
        "messages": [dict(each) for each in question.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        **question.limits,
    }


def _headers(question: Question) -> dict[str, str]:
    return {} if question.key is None else {"Authorization": f"Bearer {question.key}"}


async def _events(stream: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
    """The data of each server-sent event, until the last.

    Raises:
        Unreachable: it does not end, or is no stream of events.
    """
    size = 0
    while True:
        try:
            line = await stream.readline()
        except ValueError as problem:
            raise Unreachable("the model's answer has a line that does not end") from problem
        size += len(line)
        if not line or size > _MOST_BYTES:
            raise Unreachable("the model's answer broke off")
        if line.startswith(_PREFIX):
            data = line.removeprefix(_PREFIX).strip()
            if data == _END:
                return
            yield data
