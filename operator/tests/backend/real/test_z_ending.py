"""The ends of the servers that other tests share; hence this file's name: it runs last."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.clients import MODEL, GrpcStream, ask
from tests.backend.real.server import standing_still, until

if TYPE_CHECKING:
    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton

# At the pace of its engine: a starved test comes in time to hold it still.
SIX_SECONDS = json.dumps({"max_tokens": 300, "ignore_eos": True})
SAME = json.dumps({"temperature": 0, "max_tokens": 12, "ignore_eos": True})


def test_a_model_that_is_unloaded_and_loaded_again_answers_as_before(triton: Triton) -> None:
    server = f"http://127.0.0.1:{triton.http_port}/v2"
    body = {"prompt": "Hello", "sampling_parameters": SAME}
    answer = triton.generate(body)
    assert answer[0] == 200
    assert ask(f"{server}/repository/models/{MODEL}/unload", {})[0] == 200
    until(lambda: ask(f"{server}/models/{MODEL}/ready")[0] != 200, 60, "Triton offers it no more")
    # At once: while the first one still ends, and holds its port.
    loaded, said = ask(f"{server}/repository/models/{MODEL}/load", {}, timeout=300)
    assert loaded == 200, said
    until(lambda: triton.health()[0] == 200, 60, "/health says ok")
    assert triton.generate(body) == answer
    assert triton.process.poll() is None


def test_a_stopping_server_lets_running_streams_finish_and_takes_no_more(paced: Triton) -> None:
    stream = GrpcStream(paced.grpc_port)
    stream.ask(
        prompt="Hello", stream=True, sampling_parameters=SIX_SECONDS, return_num_output_tokens=True
    )
    assert stream.begun.wait(60)
    # Held still, so that the answer lasts as long as the test looks.
    with standing_still(paced):
        os.kill(paced.pid_of("tritonserver"), signal.SIGTERM)
        until(lambda: paced.health()[1].get("status") == "draining", 60, "/health says draining")
        assert paced.generate({"prompt": "Hello"})[0] in {0, 503}
        late = GrpcStream(paced.grpc_port)
        late.ask(prompt="Hello", stream=True)
        assert late.ended.wait(60)
        assert late.errors
        assert late.texts == []
        late.close()
        status, said = paced.openai("/v1/completions", {"model": MODEL, "prompt": "Hello"})
        assert (status, json.loads(said)["error"]["message"]) == (
            503,
            "the model is draining: the server is shutting down",
        )
        assert not stream.ended.is_set()
    assert stream.ended.wait(60)
    assert stream.errors == []
    assert stream.tokens == 300
    # An open gRPC stream keeps its model loaded until the server's exit timeout.
    stream.close()
    until(lambda: paced.process.poll() is not None, 60, "the server ends")
