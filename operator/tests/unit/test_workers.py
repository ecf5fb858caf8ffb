"""Workers and their patience: a failed pass is repeated later, and never stops the others."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from qwen_operator.errors import Postponed, Refused, Unreachable
from qwen_operator.loops.backoff import Backoff
from qwen_operator.loops.meters import Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.loops.workers import work
from qwen_operator.naming import Key

A, B = Key("models", "a"), Key("models", "b")


class ShortBackoff(Backoff):
    """Notes what it was asked, and always answers with no wait."""

    def __init__(self) -> None:
        super().__init__(random.Random(0))  # noqa: S311 - jitter, no secret
        self.asked: list[tuple[Key, float | None]] = []

    def failed(self, key: Key, at_least: float | None = None) -> float:
        self.asked.append((key, at_least))
        return 0.0


async def run_until(
    enough: Callable[[], bool], one_pass: Callable[[Key], Awaitable[None]], *keys: Key
) -> tuple[ShortBackoff, Meters]:
    queue = Queue(asyncio.get_running_loop().time)
    backoff, meters = ShortBackoff(), Meters()
    worker = asyncio.create_task(work(queue, one_pass, backoff, meters))
    for key in keys:
        queue.poke(key)

    async def watch() -> None:
        while not enough():
            assert not worker.done()
            await asyncio.sleep(0)

    await asyncio.wait_for(watch(), 5)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    return backoff, meters


@pytest.mark.parametrize(
    ("problem", "outcome", "wait"),
    [
        (Unreachable("away", 7.0), "unreachable", 7.0),
        (Unreachable("away"), "unreachable", None),
        (Refused("no"), "refused", None),
        (KeyError("a defect"), "defect", None),
    ],
    ids=["slow down", "unreachable", "refused", "defect"],
)
async def test_a_failed_pass_is_repeated_and_the_others_go_on(
    problem: Exception, outcome: str, wait: float | None
) -> None:
    passes: list[Key] = []

    async def one_pass(key: Key) -> None:
        passes.append(key)
        if key == A and passes.count(A) == 1:
            raise problem

    backoff, meters = await run_until(lambda: passes.count(A) == 2 and B in passes, one_pass, A, B)
    assert backoff.asked == [(A, wait)]
    page = generate_latest(meters.registry).decode()
    assert f'duration_seconds_count{{outcome="{outcome}"}} 1.0' in page


async def test_a_success_ends_the_waiting() -> None:
    backoff = Backoff(random.Random(0))  # noqa: S311 - jitter, no secret
    first = backoff.failed(A)
    for _ in range(6):
        backoff.failed(A)
    assert backoff.failed(A) > 10 * first
    backoff.passed(A)
    assert backoff.failed(A) <= 0.5


@given(st.integers(1, 60), st.none() | st.floats(0, 500), st.randoms(use_true_random=False))
def test_waits_grow_to_a_cap_and_obey_the_server(
    count: int, at_least: float | None, chance: random.Random
) -> None:
    backoff = Backoff(chance)
    waits = [backoff.failed(A) for _ in range(count)]
    assert all(0.25 <= each <= 120 for each in waits)
    assert backoff.failed(A, at_least) >= (at_least or 0)
    assert backoff.failed(B) <= 0.5, "one resource's failures are not another's"


async def test_a_postponed_pass_is_repeated_at_its_time_and_is_no_failure() -> None:
    seen: list[Key] = []

    async def one_pass(key: Key) -> None:
        seen.append(key)
        if len(seen) < 3:
            raise Postponed("a dispute", 0.01)

    backoff, _ = await run_until(lambda: len(seen) == 3, one_pass, A)
    assert backoff.asked == []
