"""Signs of life, and a model that does not come to it: seen from outside, on real processes."""

from __future__ import annotations

import time

import pytest

from tests.backend.real.recipes import Recipe
from tests.backend.real.server import Triton, until, wait_until_ready

pytestmark = pytest.mark.triton

HEARTBEAT = "qwen_engine_heartbeat_timestamp_seconds"
PARSERLESS = {"tool_call_parser": "no-such-parser"}


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


@pytest.mark.server(Recipe(parameters=PARSERLESS, key="s3cret"))
def test_an_openai_endpoint_that_was_promised_and_cannot_open_ends_the_load(
    server: Triton,
) -> None:
    until(lambda: server.process.poll() is not None, 200, "the server ends")
    assert server.process.returncode != 0
    if server.has_termination_log:
        failure = server.failure()
        assert failure["reason"] == "OpenAIEndpointFailed"
        assert "no-such-parser" in failure["message"]
    assert "OpenAIEndpointFailed: " in server.log_text()


@pytest.mark.server(Recipe(parameters=PARSERLESS))
def test_without_a_key_a_model_serves_without_the_endpoint_and_says_so(server: Triton) -> None:
    wait_until_ready(server)
    assert server.series()["qwen_openai_endpoint_up"] == 0
    assert "no OpenAI endpoint with this vLLM" in server.log_text()


@pytest.mark.server(Recipe(engine={"max_model_len": 100_000}))
def test_a_model_that_does_not_load_says_why(server: Triton) -> None:
    until(lambda: server.process.poll() is not None, 200, "the server ends")
    assert server.process.returncode != 0
    if server.has_termination_log:
        failure = server.failure()
        assert failure["reason"] == "BadEngineArgument"
        assert "max_model_len" in failure["message"] + failure["logLine"]
    assert "BadEngineArgument: " in server.log_text()
