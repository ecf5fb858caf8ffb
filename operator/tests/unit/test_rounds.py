"""Rounds over the model pods: spread, at even intervals, and held up by no pod."""

import asyncio
import contextlib
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.loops.meters import Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.loops.rounds import _turns, keep_scraping, scrape
from qwen_operator.settings import Settings
from qwen_operator.triton.metrics import Reading
from tests.unit.conftest import Bench
from tests.unit.stand_ins import HandClock
from tests.unit.test_store import member

PATIENCE_SECONDS = 30


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)


def add_pod(bench: Bench, name: str) -> None:
    state = {"name": "triton", "restartCount": 0, "state": {"running": {}}}
    bench.add({**member(name, 1), "status": {"podIP": name, "containerStatuses": [state]}})
    bench.pods.readings[name] = Reading(up=True, heartbeat=1)


async def test_a_round_reads_every_pod_once_but_not_all_at_once(bench: Bench) -> None:
    names = [f"pod-{number}" for number in range(20)]
    for name in names:
        add_pod(bench, name)
    bench.engines._bound = asyncio.Semaphore(len(names))
    doing = asyncio.create_task(scrape((bench.store, bench.engines), Queue(HandClock()), over=0.2))
    await until(lambda: bool(bench.pods.asked))
    assert len(bench.pods.asked) < len(names)
    await doing
    assert sorted(bench.pods.asked) == sorted(names)


@given(st.sets(st.text(min_size=1)), st.sets(st.text(min_size=1)), st.integers(1, 90))
def test_the_turn_of_a_pod_is_the_same_whoever_comes_and_goes(
    some: set[str], others: set[str], count: int
) -> None:
    alone, together = _turns(some, count), _turns(some | others, count)
    assert len(alone) == len(together) == count
    assert sorted(each for turn in alone for each in turn) == sorted(some)
    assert all(set(mine) <= set(all_of) for mine, all_of in zip(alone, together, strict=True))


async def test_a_pod_that_hangs_is_asked_once_and_delays_no_other(bench: Bench) -> None:
    add_pod(bench, "well")
    add_pod(bench, "hanging")
    answer, read = asyncio.Event(), bench.pods.read

    async def reading(address: str) -> Reading | None:
        found = await read(address)
        if address == "hanging":
            await answer.wait()
        return found

    bench.pods.read = reading  # type: ignore[method-assign]
    settings = Settings(scrape_interval_seconds=0.01)
    watched = (bench.store, bench.engines)
    doing = asyncio.create_task(keep_scraping(watched, Queue(HandClock()), settings, Meters()))
    try:
        await until(lambda: bench.pods.asked.count("well") >= 5)
        assert bench.pods.asked.count("hanging") == 1
        answer.set()
        await until(lambda: bench.pods.asked.count("hanging") >= 2)
    finally:
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await doing
