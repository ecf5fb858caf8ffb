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
from tests.backend.real.server import Triton, until, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.triton


def running(triton: Triton) -> float:
    return float(triton.series().get("vllm:num_requests_running", -1.0))


def test_a_cancelled_grpc_stream_is_aborted_in_the_engine(triton: Triton) -> None:
    stream = GrpcStream(triton.grpc_port)
    stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG)
    assert stream.begun.wait(10)
    until(lambda: running(triton) == 1, 5, "the engine runs the request")
    stream.close()
    until(lambda: running(triton) == 0, 2, "the engine has aborted the request")
    assert len(stream.texts) < 900


def test_a_dropped_http_stream_is_aborted_in_the_engine(triton: Triton) -> None:
    body = json.dumps({"prompt": "Hello", "stream": True, "sampling_parameters": LONG}).encode()
    path = b"/v2/models/tiny-qwen/generate_stream"
    head = b"POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % (path, len(body))
    with socket.create_connection(("127.0.0.1", triton.http_port)) as connection:
        connection.sendall(head + body)
        connection.recv(1000)
        until(lambda: running(triton) == 1, 5, "the engine runs the request")
    until(lambda: running(triton) == 0, 2, "the engine has aborted the request")


def test_the_heartbeat_advances_while_the_engine_lives(triton: Triton) -> None:
    def beat() -> float:
        return float(triton.series()["qwen_engine_heartbeat_timestamp_seconds"])

    first = beat()
    assert abs(first - time.time()) < 5
    until(lambda: beat() > first, 3, "another heartbeat")
    assert triton.series()["qwen_engine_up"] == 1
    assert triton.series()["qwen_engine_info"] == 1


def test_health_says_loading_before_the_engine_is_there_and_then_ok(triton: Triton) -> None:
    status, body = triton.health()
    assert (status, body["status"], body["phase"]) == (200, "ok", "serving")


def test_a_killed_engine_is_unhealthy_within_3_s_and_ends_the_server(
    start_triton: Callable[..., Triton],
) -> None:
    triton = start_triton()
    until(
        lambda: triton.health()[1].get("status") == "loading", 60, "/health answers while loading"
    )
    wait_until_ready(triton)
    # The gauge of running requests is a second old: by then a quick machine has answered.
    stream = GrpcStream(triton.grpc_port)
    stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG)
    assert stream.begun.wait(10)
    os.kill(triton.pid_of("VLLM::EngineCor"), signal.SIGKILL)
    until(lambda: triton.health()[0] == 503, 3, "/health notices the dead engine")
    assert "EngineDead" in triton.health()[1]["reason"]
    until(
        lambda: triton.series().get("qwen_engine_up") == 0, 2, "the gauge notices the dead engine"
    )
    assert stream.ended.wait(10)
    errors = list(stream.errors)
    stream.close()
    assert len(errors) == 1
    assert "the engine has died" in errors[0]
    until(lambda: triton.process.poll() is not None, 30, "the server ends")
    assert triton.health()[0] == 0
    if triton.has_termination_log:
        assert triton.failure()["reason"] == "EngineDead"


def test_a_model_that_does_not_load_says_why(start_triton: Callable[..., Triton]) -> None:
    triton = start_triton({"max_model_len": 100_000})
    until(lambda: triton.process.poll() is not None, 200, "the server ends")
    assert triton.process.returncode != 0
    if triton.has_termination_log:
        failure = triton.failure()
        assert failure["reason"] == "BadEngineArgument"
        assert "max_model_len" in failure["message"] + failure["logLine"]
    assert "BadEngineArgument: " in triton.log_text()
