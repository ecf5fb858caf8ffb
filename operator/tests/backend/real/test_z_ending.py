"""The ends of the servers that other tests share; hence this file's name: it runs last."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.clients import LONG, MODEL, GrpcStream
from tests.backend.real.server import standing_still, until

if TYPE_CHECKING:
    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton


def test_a_stopping_server_lets_running_streams_finish_and_takes_no_more(triton: Triton) -> None:
    stream = GrpcStream(triton.grpc_port)
    stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG, return_num_output_tokens=True)
    assert stream.begun.wait(60)
    # Held still, so that the answer lasts as long as the test looks.
    with standing_still(triton):
        os.kill(triton.pid_of("tritonserver"), signal.SIGTERM)
        until(lambda: triton.health()[1].get("status") == "draining", 60, "/health says draining")
        assert triton.generate({"prompt": "Hello"})[0] in {0, 503}
        late = GrpcStream(triton.grpc_port)
        late.ask(prompt="Hello", stream=True)
        assert late.ended.wait(60)
        assert late.errors
        assert late.texts == []
        late.close()
        status, said = triton.openai("/v1/completions", {"model": MODEL, "prompt": "Hello"})
        assert (status, json.loads(said)["error"]["message"]) == (
            503,
            "the model is draining: the server is shutting down",
        )
        assert not stream.ended.is_set()
    assert stream.ended.wait(60)
    assert stream.errors == []
    assert stream.tokens == 900
    # An open gRPC stream keeps its model loaded until the server's exit timeout.
    stream.close()
    until(lambda: triton.process.poll() is not None, 60, "the server ends")


def test_a_killed_worker_ends_every_stream_and_the_server(furnished: Triton) -> None:
    worker = furnished.worker
    streams = [GrpcStream(furnished.grpc_port) for _ in range(2)]
    for stream in streams:
        stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG)
    assert all(stream.begun.wait(60) for stream in streams)
    os.kill(worker, signal.SIGKILL)
    until(lambda: furnished.health()[0] in {0, 503}, 60, "/health notices the dead worker")
    for stream in streams:
        assert stream.ended.wait(60)
        assert [error.partition(":")[0] for error in stream.errors] == ["UNAVAILABLE"]
        stream.close()
    until(lambda: furnished.process.poll() is not None, 60, "the server ends")
    if furnished.has_termination_log:
        assert furnished.failure()["reason"] == "EngineDead"
