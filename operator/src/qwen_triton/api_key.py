"""The key that the OpenAI endpoint asks for, where the model has one.

It comes from a Secret by an environment variable and goes nowhere else: neither into settings,
which may be printed, nor to the processes that the engine starts.
"""

from __future__ import annotations

import hmac
import json
import os
from typing import TYPE_CHECKING, Any

from qwen_triton.health import HEALTH_PATH
from qwen_triton.settings import BadSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

VARIABLE = "QWEN_OPENAI_API_KEY"

_SCHEME = b"bearer "
_POLICY_VIOLATION = 1008
_REFUSED = json.dumps(
    {
        "error": {
            "message": "Authorization: send the model's API key as 'Bearer KEY'",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        }
    }
).encode()


def take_key() -> bytes | None:
    """The key, taken out of the environment; None where the model has none.

    Raises:
        BadSettings: when there should be one and it is empty.
    """
    given = os.environ.pop(VARIABLE, None)
    if given is None:
        return None
    # A Secret made from a file or with echo ends with a newline.
    key = given.strip()
    if not key:
        raise BadSettings("the Secret of spec.chat.apiKeySecretRef holds an empty key")
    return key.encode()


def locked(application: Application, key: bytes | None) -> Application:
    """The application behind its key; /health stays open, for probes have none."""
    if key is None:
        return application

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "lifespan" or scope.get("path") == HEALTH_PATH
        if is_open or _has_key(scope, key):
            await application(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 401, "headers": _headers()})
            await send({"type": "http.response.body", "body": _REFUSED})
        else:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    return guard


def _has_key(scope: Scope, key: bytes) -> bool:
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    has_scheme = given[: len(_SCHEME)].lower() == _SCHEME
    # In constant time: how long it takes tells nothing of how much was right.
    return hmac.compare_digest(given[len(_SCHEME) :].strip(), key) and has_scheme


def _headers() -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(_REFUSED)),
        (b"www-authenticate", b"Bearer"),
    ]
