"""Signs of life: a heartbeat is fresh when it advances, and no news is bad news after a while."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.facts import Engine
from qwen_operator.observe.engines import Engines, Pulse, judge
from qwen_operator.triton.metrics import Reading
from tests.unit.stand_ins import HandClock, Json, ScriptedPods

PATIENCE = 10.0
OFF = None


def course(*steps: tuple[float, Reading | None]) -> list[Engine]:
    """The judgement after each reading at its time."""
    pulse: Pulse | None = None
    found = []
    for at, reading in steps:
        pulse = judge(pulse, reading, (at, PATIENCE))
        found.append(pulse.engine)
    return found


def beat(value: float, *, up: bool = True) -> Reading:
    return Reading(up=up, heartbeat=value)


def test_an_advancing_heartbeat_is_up() -> None:
    assert set(course(*((float(5 * n), beat(n)) for n in range(9)))) == {Engine.UP}


def test_a_heartbeat_that_stands_still_is_stale_after_the_patience() -> None:
    found = course((0, beat(1)), (5, beat(1)), (10, beat(1)), (10.1, beat(1)), (15, beat(2)))
    assert found == [Engine.UP, Engine.UP, Engine.UP, Engine.STALE, Engine.UP]


def test_a_pods_clock_need_not_be_ours() -> None:
    assert course((0, beat(9e9)), (11, beat(-3)), (22, beat(-4))) == [Engine.UP] * 3


def test_a_dead_engine_is_down_at_once_even_if_the_heart_beats() -> None:
    assert course((0, beat(1)), (1, beat(2, up=False)), (2, beat(3))) == [
        Engine.UP,
        Engine.DOWN,
        Engine.UP,
    ]


def test_one_lost_answer_changes_nothing_and_silence_does() -> None:
    found = course((0, beat(1)), (5, OFF), (10, OFF), (10.1, OFF), (20, beat(2)))
    assert found == [Engine.UP, Engine.UP, Engine.UP, Engine.UNREACHABLE, Engine.UP]


def test_a_pod_that_never_answered_is_unknown_then_unreachable() -> None:
    assert course((0, OFF), (10, OFF), (11, OFF)) == [
        Engine.UNKNOWN,
        Engine.UNKNOWN,
        Engine.UNREACHABLE,
    ]


def test_answers_that_return_with_an_old_heartbeat_are_not_life() -> None:
    assert course((0, beat(1)), (20, OFF), (21, beat(1))) == [
        Engine.UP,
        Engine.UNREACHABLE,
        Engine.STALE,
    ]


READINGS = st.none() | st.builds(Reading, up=st.booleans(), heartbeat=st.sampled_from([1.0, 2.0]))


@given(st.lists(st.tuples(st.floats(0.1, 30), READINGS), min_size=1, max_size=12))
def test_up_means_an_advance_within_the_patience(
    steps: list[tuple[float, Reading | None]],
) -> None:
    now, times = 0.0, []
    for wait, reading in steps:
        now += wait
        times.append((now, reading))
    found = course(*times)
    seen: float | None = None
    news: list[tuple[float, bool]] = []
    for at, reading in times:
        if reading is None:
            continue
        news.append((at, reading.heartbeat != seen))
        seen = reading.heartbeat
    if found[-1] is Engine.UP:
        answered = [at for at, _ in news]
        assert now - answered[-1] <= PATIENCE
        assert answered[-1] - max(at for at, fresh in news if fresh) <= PATIENCE
        last = next(reading for _, reading in reversed(times) if reading is not None)
        assert last.up


def pod(name: str, *, restarts: int = 0, state: str = "running", **metadata: Any) -> Json:
    status = {"name": "triton", "restartCount": restarts, "state": {state: {}}}
    return {
        "metadata": {"name": name, "uid": name, **metadata},
        "status": {"podIP": f"ip-of-{name}", "containerStatuses": [status]},
    }


@pytest.fixture
def pods() -> ScriptedPods:
    return ScriptedPods()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def engines(pods: ScriptedPods, clock: HandClock) -> Engines:
    return Engines(pods, 2, PATIENCE, clock)


async def test_reading_tells_whether_the_judgement_changed(
    engines: Engines, pods: ScriptedPods, clock: HandClock
) -> None:
    pods.readings["ip-of-a"] = beat(1)
    assert await engines.read(pod("a")) is True
    assert await engines.read(pod("a")) is False
    assert engines.of([pod("a")]) == {"a": Engine.UP}
    clock.now += PATIENCE + 1
    assert await engines.read(pod("a")) is True
    assert engines.of([pod("a")]) == {"a": Engine.STALE}


async def test_a_restarted_container_is_another_engine(
    engines: Engines, pods: ScriptedPods
) -> None:
    pods.readings["ip-of-a"] = beat(1)
    await engines.read(pod("a"))
    assert engines.of([pod("a", restarts=1)]) == {}


@pytest.mark.parametrize(
    "silent",
    [
        pod("a", state="waiting"),
        pod("a", deletionTimestamp="2026-01-01T00:00:00Z"),
        {"metadata": {"name": "a", "uid": "a"}, "status": {"podIP": "1.2.3.4"}},
        {"metadata": {"name": "a", "uid": "a"}},
    ],
    ids=["not running", "being deleted", "no container", "no status"],
)
async def test_a_pod_that_cannot_answer_is_not_asked(
    engines: Engines, pods: ScriptedPods, silent: Json
) -> None:
    assert await engines.read(silent) is False
    assert pods.asked == []


async def test_engines_of_gone_pods_are_forgotten(engines: Engines, pods: ScriptedPods) -> None:
    pods.readings = {"ip-of-a": beat(1), "ip-of-b": beat(1)}
    await engines.read(pod("a"))
    await engines.read(pod("b"))
    engines.forget_all_but([pod("b")])
    assert engines.of([pod("a"), pod("b")]) == {"b": Engine.UP}


async def test_silence_while_the_model_loads_is_no_news_until_kubelet_calls_the_pod_ready(
    engines: Engines, clock: HandClock
) -> None:
    loading = pod("one")
    for _ in range(5):
        assert not await engines.read(loading) or clock.now == 1000.0
        clock.now += PATIENCE
    assert engines.of([loading]) == {"one": Engine.UNKNOWN}
    ready = {**loading, "status": {**loading["status"]}}
    ready["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert not await engines.read(ready)
    clock.now += PATIENCE + 1
    assert await engines.read(ready)
    assert engines.of([ready]) == {"one": Engine.UNREACHABLE}
