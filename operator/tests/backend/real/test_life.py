"""Clients who leave, engines that die, servers that end: seen from outside, on real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.clients import LONG, GrpcStream
from tests.backend.real.processes import stopped
from tests.backend.real.server import Triton, until, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.triton

HEARTBEAT = "qwen_engine_heartbeat_timestamp_seconds"
SILENT = "the engine has not answered for"


def reason(triton: Triton) -> str:
    """Why it is not well, as /health says it; nothing where it is, or where nobody answers."""
    status, body = triton.health()
    return body["reason"] if status == 503 and "reason" in body else ""


@pytest.mark.parametrize("manner", ["streamed", "whole"])
def test_a_cancelled_grpc_request_is_aborted_in_the_engine(triton: Triton, manner: str) -> None:
    whole = triton.ended_by_length()
    call = GrpcStream(triton.grpc_port)
    call.ask(prompt="Hello", stream=manner == "streamed", sampling_parameters=LONG)
    until(lambda: triton.requests("running") == 1, 60, "the engine runs the request")
    call.close()
    until(triton.is_idle, 60, "the engine has aborted the request")
    assert triton.ended_by_length() == whole
    assert len(call.texts) < (900 if manner == "streamed" else 1)


def test_a_dropped_http_stream_is_aborted_in_the_engine(triton: Triton) -> None:
    whole = triton.ended_by_length()
    body = json.dumps({"prompt": "Hello", "stream": True, "sampling_parameters": LONG}).encode()
    path = b"/v2/models/tiny-qwen/generate_stream"
    head = b"POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % (path, len(body))
    with socket.create_connection(("127.0.0.1", triton.http_port)) as connection:
        connection.sendall(head + body)
        connection.recv(1000)
        until(lambda: triton.requests("running") == 1, 60, "the engine runs the request")
    until(triton.is_idle, 60, "the engine has aborted the request")
    assert triton.ended_by_length() == whole


def test_the_heartbeat_advances_while_the_engine_lives(triton: Triton) -> None:
    def beat() -> float:
        return triton.series()[HEARTBEAT]

    # The series is brought up to date once a second.
    until(lambda: HEARTBEAT in triton.series(), 60, "a heartbeat")
    first = beat()
    assert abs(first - time.time()) < 30
    until(lambda: beat() > first, 60, "another heartbeat")
    assert triton.series()["qwen_engine_up"] == 1
    assert triton.series()["qwen_engine_info"] == 1
    assert triton.series()["qwen_openai_endpoint_up"] == 1


def test_health_says_loading_before_the_engine_is_there_and_then_ok(triton: Triton) -> None:
    status, body = triton.health()
    assert (status, body["status"], body["phase"]) == (200, "ok", "serving")


def test_what_hangs_is_unhealthy_and_a_killed_engine_ends_the_server(
    start_triton: Callable[..., Triton],
) -> None:
    triton = start_triton(parameters={"engine_silence_seconds": "5"})
    until(
        lambda: triton.health()[1].get("status") == "loading", 60, "/health answers while loading"
    )
    wait_until_ready(triton)
    for name, pid in (("the engine", triton.engine), ("the worker", triton.worker)):
        busy = GrpcStream(triton.grpc_port)
        with stopped(pid):
            # A worker that hangs is missed only when there is work.
            busy.ask(prompt="Hello", stream=True, sampling_parameters=LONG)
            until(lambda: SILENT in reason(triton), 60, f"/health notices that {name} hangs")
        until(lambda: triton.health()[0] == 200, 60, f"/health notices that {name} goes on")
        busy.close()
    # Nobody's probe is answered any more: Triton's calls hold the stub's interpreter meanwhile.
    with stopped(triton.pid_of("tritonserver")):
        until(lambda: triton.health()[0] == 0, 60, "/health is silent while tritonserver hangs")
    until(lambda: triton.health()[0] == 200, 60, "/health notices that tritonserver goes on")
    engine = triton.engine
    stream = GrpcStream(triton.grpc_port)
    stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG)
    assert stream.begun.wait(60)
    os.kill(engine, signal.SIGKILL)
    # Both say so until the server is ended, two seconds later: a look in vain may take as long.
    told: set[str] = set()

    def is_told() -> bool:
        if "EngineDead" in reason(triton):
            told.add("/health")
        if triton.series().get("qwen_engine_up") == 0:
            told.add("the gauge")
        return len(told) == len(("/health", "the gauge")) or triton.process.poll() is not None

    until(is_told, 60, "the dead engine is told of")
    assert told
    assert stream.ended.wait(60)
    errors = list(stream.errors)
    stream.close()
    assert len(errors) == 1
    assert "the engine has died" in errors[0]
    until(lambda: triton.process.poll() is not None, 60, "the server ends")
    assert triton.health()[0] == 0
    if triton.has_termination_log:
        assert triton.failure()["reason"] == "EngineDead"


PARSERLESS = {"tool_call_parser": "no-such-parser"}


def test_an_openai_endpoint_that_was_promised_and_cannot_open_ends_the_load(
    start_triton: Callable[..., Triton],
) -> None:
    triton = start_triton(parameters=PARSERLESS, key="s3cret")
    until(lambda: triton.process.poll() is not None, 200, "the server ends")
    assert triton.process.returncode != 0
    if triton.has_termination_log:
        failure = triton.failure()
        assert failure["reason"] == "OpenAIEndpointFailed"
        assert "no-such-parser" in failure["message"]
    assert "OpenAIEndpointFailed: " in triton.log_text()


def test_without_a_key_a_model_serves_without_the_endpoint_and_says_so(
    start_triton: Callable[..., Triton],
) -> None:
    triton = start_triton(parameters=PARSERLESS)
    wait_until_ready(triton)
    assert triton.series()["qwen_openai_endpoint_up"] == 0
    assert "no OpenAI endpoint with this vLLM" in triton.log_text()


def test_a_model_that_does_not_load_says_why(start_triton: Callable[..., Triton]) -> None:
    triton = start_triton({"max_model_len": 100_000})
    until(lambda: triton.process.poll() is not None, 200, "the server ends")
    assert triton.process.returncode != 0
    if triton.has_termination_log:
        failure = triton.failure()
        assert failure["reason"] == "BadEngineArgument"
        assert "max_model_len" in failure["message"] + failure["logLine"]
    assert "BadEngineArgument: " in triton.log_text()
