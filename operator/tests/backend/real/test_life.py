"""Clients who leave, engines that die, servers that end: seen from outside, on real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.triton

LONG = json.dumps({"max_tokens": 900, "ignore_eos": True})


def until(condition: Callable[[], object], seconds: float) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "not in time"
        time.sleep(0.02)
    return time.monotonic() - begun


def ready(triton: Any) -> bool:
    assert triton.process.poll() is None, triton.log_text()[-4000:]
    return bool(triton.health()[0] == 200 and triton.series())


def running(triton: Any) -> float:
    return float(triton.series().get("vllm:num_requests_running", -1.0))


def test_a_cancelled_grpc_stream_is_aborted_in_the_engine(triton: Any) -> None:
    client = triton_grpc.InferenceServerClient(f"127.0.0.1:{triton.grpc_port}")
    tensors = []
    for name, kind, value in (
        ("prompt", "BYTES", b"Hello"),
        ("stream", "BOOL", True),
        ("sampling_parameters", "BYTES", LONG.encode()),
    ):
        tensor = triton_grpc.InferInput(name, [1], kind)
        tensor.set_data_from_numpy(
            np.array([value], dtype=np.object_ if kind == "BYTES" else np.bool_)
        )
        tensors.append(tensor)
    begun = threading.Event()
    client.start_stream(lambda *_: begun.set())
    client.async_stream_infer("tiny-qwen", tensors)
    assert begun.wait(10)
    until(lambda: running(triton) == 1, 5)
    before = triton.series()["vllm:request_success_total"]
    client.stop_stream(cancel_requests=True)
    until(lambda: running(triton) == 0, 2)
    client.close()
    assert triton.series()["vllm:generation_tokens_total"] > 0
    assert triton.series()["vllm:request_success_total"] - before <= 1


def test_a_dropped_http_stream_is_aborted_in_the_engine(triton: Any) -> None:
    body = json.dumps({"prompt": "Hello", "stream": True, "sampling_parameters": LONG}).encode()
    path = b"/v2/models/tiny-qwen/generate_stream"
    head = b"POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % (path, len(body))
    with socket.create_connection(("127.0.0.1", triton.http_port)) as connection:
        connection.sendall(head + body)
        connection.recv(1000)
        until(lambda: running(triton) == 1, 5)
    until(lambda: running(triton) == 0, 2)


def test_the_heartbeat_advances_while_the_engine_lives(triton: Any) -> None:
    def beat() -> float:
        return float(triton.series()["qwen_engine_heartbeat_timestamp_seconds"])

    first = beat()
    assert abs(first - time.time()) < 5
    until(lambda: beat() > first, 3)
    assert triton.series()["qwen_engine_up"] == 1
    assert triton.series()["qwen_engine_info"] == 1


def test_health_says_loading_before_the_engine_is_there_and_then_ok(triton: Any) -> None:
    status, body = triton.health()
    assert (status, body["status"], body["phase"]) == (200, "ok", "serving")


def test_a_killed_engine_is_unhealthy_within_3_s_and_ends_the_server(
    start_triton: Callable[..., Any],
) -> None:
    triton = start_triton()
    until(lambda: triton.health()[1].get("status") == "loading", 60)
    until(lambda: ready(triton), 300)
    answers: list[tuple[int, bytes]] = []
    body = {"prompt": "Hello", "stream": True, "sampling_parameters": LONG}
    client = threading.Thread(target=lambda: answers.append(triton.generate(body, stream=True)))
    client.start()
    until(lambda: running(triton) == 1, 5)
    os.kill(triton.pid_of("VLLM::EngineCor"), signal.SIGKILL)
    until(lambda: triton.health()[0] == 503, 3)
    assert "EngineDead" in triton.health()[1]["reason"]
    until(lambda: triton.series().get("qwen_engine_up") == 0, 2)
    client.join(10)
    assert b"the engine has died" in answers[0][1]
    until(lambda: triton.process.poll() is not None, 30)
    assert triton.health()[0] == 0


def test_a_killed_stub_takes_its_health_with_it(start_triton: Callable[..., Any]) -> None:
    triton = start_triton()
    until(lambda: ready(triton), 300)
    os.kill(triton.pid_of("triton_python_b"), signal.SIGKILL)
    until(lambda: triton.health()[0] == 0, 3)


def test_a_stopping_server_lets_running_streams_finish(start_triton: Callable[..., Any]) -> None:
    triton = start_triton()
    until(lambda: ready(triton), 300)
    answers: list[tuple[int, bytes]] = []
    body = {
        "prompt": "Hello",
        "stream": True,
        "sampling_parameters": LONG,
        "return_num_output_tokens": True,
    }
    client = threading.Thread(target=lambda: answers.append(triton.generate(body, stream=True)))
    client.start()
    until(lambda: running(triton) == 1, 5)
    os.kill(triton.pid_of("tritonserver"), signal.SIGTERM)
    until(lambda: triton.health()[1].get("status") == "draining", 5)
    client.join(60)
    status, pieces = answers[0]
    assert status == 200
    counts = [
        json.loads(line[6:])["num_output_tokens"]
        for line in pieces.split(b"\n")
        if line.startswith(b"data: ")
    ]
    assert sum(counts) == 900
    until(lambda: triton.process.poll() is not None, 30)


FAILURES: dict[str, tuple[dict[str, object], str, str]] = {
    "unknown argument": ({"max_model_length": 5}, "BadEngineArgument", "'max_model_len'"),
    "context": ({"max_model_len": 100_000}, "BadEngineArgument", "max_model_len"),
    "no model": ({"model": "/weights/none"}, "ModelNotFound", "/weights/none"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_model_that_does_not_load_says_why(start_triton: Callable[..., Any], case: str) -> None:
    engine, reason, words = FAILURES[case]
    triton = start_triton(engine)
    until(lambda: triton.process.poll() is not None, 200)
    assert triton.process.returncode != 0
    if "QWEN_TRITON_COMMAND" not in os.environ:
        failure = triton.failure()
        assert failure["reason"] == reason
        assert words in failure["message"] + failure["logLine"]
    assert f"{reason}: " in triton.log_text()
