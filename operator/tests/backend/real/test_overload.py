"""More requests than a server takes at once: who waits, who is refused, and who goes first."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.clients import MODEL, GrpcStream
from tests.backend.real.server import standing_still, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton

# What the furnished server runs at once, and lets wait.
RUNNING, QUEUED = 2, 2
# Some forty seconds at the pace of its engine.
LONG_ANSWER = json.dumps({"max_tokens": 1900, "ignore_eos": True})
FULL = "the queue is full: 2 requests wait for the 2 that run at once, and max_queued_requests is 2"


@contextmanager
def busy(triton: Triton) -> Iterator[list[GrpcStream]]:
    """As many requests as the engine runs at once, each with a long answer before it."""
    streams = [GrpcStream(triton.grpc_port) for _ in range(RUNNING)]
    try:
        for stream in streams:
            stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG_ANSWER)
        assert all(stream.begun.wait(60) for stream in streams)
        yield streams
    finally:
        for stream in streams:
            stream.close()
        until(triton.is_idle, 60, "the engine has nothing left to do")


def refused(streams: list[GrpcStream]) -> int:
    return sum(bool(each.errors) for each in streams)


@pytest.fixture
def full(furnished: Triton) -> Iterator[None]:
    """Two requests run, two wait, and two more have been refused."""
    with busy(furnished) as running, standing_still(furnished):
        waiting = [GrpcStream(furnished.grpc_port) for _ in range(QUEUED + 2)]
        for stream in waiting:
            stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG_ANSWER)
        until(lambda: refused(waiting) == 2, 60, "two are refused")
        assert all(FULL in error for each in waiting for error in each.errors)
        yield
        assert refused(waiting) == 2
        assert not any(each.ended.is_set() for each in running)
        for stream in waiting:
            stream.close()


@pytest.mark.usefixtures("full")
def test_a_full_queue_is_told_at_once_with_its_length_and_limit(furnished: Triton) -> None:
    status, said = furnished.generate({"prompt": "Hello"})
    # Triton's HTTP server has lost the status by then (qwen_triton.refusals): the words have it.
    assert status in {400, 503}
    assert json.loads(said)["error"].startswith(f"UNAVAILABLE: {FULL}")


@pytest.mark.usefixtures("full")
def test_grpc_says_unavailable_of_a_full_queue(furnished: Triton) -> None:
    stream = GrpcStream(furnished.grpc_port)
    stream.ask(prompt="Hello", stream=True)
    assert stream.ended.wait(60)
    (error,) = list(stream.errors)
    stream.close()
    assert error.startswith(f"UNAVAILABLE: {FULL}")


@pytest.mark.usefixtures("full")
def test_the_openai_endpoint_knows_the_same_bound(furnished: Triton) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    status, said = furnished.openai("/v1/chat/completions", body)
    assert status == 503
    assert json.loads(said)["error"]["message"].startswith(FULL)
    assert furnished.openai("/v1/models")[0] == 200


def test_of_those_who_wait_the_lower_priority_is_served_first(furnished: Triton) -> None:
    order: list[str] = []

    def ask(name: str, priority: int) -> threading.Thread:
        def wait_for_it() -> None:
            sampling = {"priority": priority, "max_tokens": 40, "ignore_eos": True}
            body = {"prompt": "Hello", "sampling_parameters": json.dumps(sampling)}
            order.append(name if furnished.generate(body)[0] == 200 else f"{name} failed")

        thread = threading.Thread(target=wait_for_it)
        thread.start()
        return thread

    with busy(furnished) as streams:
        asked = [ask("late", 9)]
        until(lambda: furnished.requests("waiting") == 1, 60, "the late one waits")
        asked.append(ask("urgent", -9))
        until(lambda: furnished.requests("waiting") == 2, 60, "both wait")
        assert not any(each.ended.is_set() for each in streams)
        streams[0].close()
        for thread in asked:
            thread.join(60)
        assert not streams[1].ended.is_set()
    assert order == ["urgent", "late"]
