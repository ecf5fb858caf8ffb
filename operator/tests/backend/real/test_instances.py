"""Two instances of a model on one engine: both answer, and neither outlives the other."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.backend.real.clients import LONG, GrpcStream
from tests.backend.real.processes import STUB, cpu_ticks, engines
from tests.backend.real.recipes import Recipe
from tests.backend.real.server import Triton, until, wait_until_ready

pytestmark = pytest.mark.triton

REQUESTS, TOKENS = 16, 20


def generated(triton: Triton) -> float:
    return triton.series().get("vllm:generation_tokens_total", 0.0)


@pytest.mark.server(Recipe(instances=2))
def test_both_answer_from_one_engine_and_one_dead_ends_the_server(server: Triton) -> None:
    wait_until_ready(server)
    until(lambda: server.health()[0] == 200, 60, "/health says ok")
    stubs = server.pids_of(STUB)
    assert len(stubs) == 2
    assert len(engines(server.process.pid)) == 1

    before, spent = generated(server), {pid: cpu_ticks(pid) for pid in stubs}
    sampling = json.dumps({"max_tokens": TOKENS, "ignore_eos": True, "temperature": 0.0})
    body = {"prompt": "Hello", "sampling_parameters": sampling}
    with ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(server.generate, [body] * REQUESTS))
    assert {status for status, _ in answers} == {200}
    assert len({json.loads(answer)["response"] for _, answer in answers}) == 1
    # What each instance counted alone is one sum on :8002.
    until(lambda: generated(server) - before == REQUESTS * TOKENS, 60, "every token is counted")
    assert all(cpu_ticks(pid) > spent[pid] for pid in stubs)
    status, answer = server.openai("/v1/completions", {"model": "tiny-qwen", "prompt": "Hello"})
    assert (status, "choices" in json.loads(answer)) == (200, True)

    stream = GrpcStream(server.grpc_port)
    stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG)
    assert stream.begun.wait(60)
    first = server.listener_of(server.health_port)
    (second,) = set(stubs) - {first}
    os.kill(second, signal.SIGKILL)
    until(lambda: server.health()[0] in {0, 503}, 60, "/health notices the dead instance")
    until(lambda: server.process.poll() is not None, 60, "the server ends")
    stream.close()
    if server.has_termination_log:
        assert server.failure()["reason"] == "StubCrashed"
        assert "instance 1 of the model has ended" in server.failure()["message"]
