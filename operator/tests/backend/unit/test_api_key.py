from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from qwen_triton.api_key import VARIABLE, locked, take_key
from qwen_triton.settings import BadSettings

if TYPE_CHECKING:
    from collections.abc import MutableMapping

KEY = b"s3cret"
Sent = list[dict[str, Any]]


async def application(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})


def said(path: str, *authorization: bytes, kind: str = "http", key: bytes | None = KEY) -> Sent:
    sent: Sent = []

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("nothing is read from a client without a key")

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    headers = [(b"host", b"x"), *((b"authorization", value) for value in authorization)]
    scope = {"type": kind, "path": path, "headers": headers}
    asyncio.run(locked(application, key)(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/chat/completions", "/metrics", "/", "/health/", "//health"]
)
@pytest.mark.parametrize(
    "given", [(), (b"",), (b"s3cret",), (b"Bearer",), (b"Bearer s3cre",), (b"Digest s3cret",)]
)
def test_every_path_needs_the_key(path: str, given: tuple[bytes, ...]) -> None:
    start, body = said(path, *given)
    assert start["status"] == 401
    assert (b"www-authenticate", b"Bearer") in start["headers"]
    error = json.loads(body["body"])["error"]
    assert error["code"] == "invalid_api_key"
    assert "s3cre" not in error["message"]


@pytest.mark.parametrize("given", [b"Bearer s3cret", b"bearer s3cret", b"Bearer  s3cret "])
def test_who_has_the_key_is_let_in(given: bytes) -> None:
    assert said("/v1/models", given)[0]["status"] == 200


def test_a_second_header_does_not_help() -> None:
    assert said("/v1/models", b"Bearer x", b"Bearer s3cret")[0]["status"] == 401


def test_health_is_open_to_probes() -> None:
    assert said("/health")[0]["status"] == 200


def test_a_web_socket_without_the_key_is_closed() -> None:
    assert said("/v1/realtime", kind="websocket") == [{"type": "websocket.close", "code": 1008}]


def test_a_model_without_a_key_asks_for_none() -> None:
    assert said("/v1/models", key=None)[0]["status"] == 200


def test_the_key_leaves_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "s3cret\n")
    assert take_key() == KEY
    assert VARIABLE not in os.environ
    assert take_key() is None


def test_an_empty_key_is_no_open_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " \n")
    with pytest.raises(BadSettings, match="apiKeySecretRef"):
        take_key()
