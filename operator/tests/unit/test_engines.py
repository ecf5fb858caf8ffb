"""Signs of life: a heartbeat is fresh when it advances, and no news is bad news after a while."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.facts import Engine, Progress
from qwen_operator.load import Load
from qwen_operator.observe.engines import Engines, Pace, Pulse, judge, paced
from qwen_operator.observe.offers import Offer, judge_offer
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


def paces(*steps: tuple[float, float]) -> list[tuple[float, float] | None]:
    """The rates after each (heartbeat, tokens written so far)."""
    pace: Pace | None = None
    found = []
    for heartbeat, tokens in steps:
        pace = paced(pace, Load(generated=tokens, prompted=2 * tokens, pods=1), heartbeat)
        found.append(pace.rates)
    return found


def test_a_pace_is_taken_between_heartbeats() -> None:
    assert paces((100, 0), (104, 40), (109, 40)) == [None, (20, 10), (0, 0)]


def test_two_readings_in_a_moment_leave_the_older_pace() -> None:
    assert paces((100, 0), (104, 40), (105, 41), (106, 60)) == [None, (20, 10), (20, 10), (20, 10)]


def test_a_clock_or_a_counter_that_goes_back_begins_anew() -> None:
    assert paces((100, 50), (104, 10), (108, 18), (90, 0)) == [None, None, (4, 2), None]


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


async def test_an_openai_endpoint_that_is_gone_is_news(
    engines: Engines, pods: ScriptedPods
) -> None:
    pods.readings["ip-of-a"] = beat(1)
    await engines.read(pod("a"))
    pods.readings["ip-of-a"] = replace(beat(2), has_door=False)
    assert await engines.read(pod("a")) is True
    assert not engines.has_door(pod("a"))
    pods.readings["ip-of-a"] = replace(beat(3), has_door=False)
    assert await engines.read(pod("a")) is False


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


async def test_who_speaks_of_another_model_is_somebody_else(
    engines: Engines, pods: ScriptedPods
) -> None:
    pods.readings["ip-of-a"] = Reading(up=True, heartbeat=1.0, models=frozenset({"mine"}))
    await engines.read(pod("a"))
    assert engines.of([pod("a")], "mine") == {"a": Engine.UP}
    assert engines.of([pod("a")], "another") == {"a": Engine.FOREIGN}
    # An older backend names no model.
    pods.readings["ip-of-a"] = Reading(up=True, heartbeat=2.0)
    await engines.read(pod("a"))
    assert engines.of([pod("a")], "another") == {"a": Engine.UP}


async def test_how_far_a_start_is_is_asked_while_the_model_loads(
    engines: Engines, pods: ScriptedPods
) -> None:
    pods.progresses["ip-of-a"] = Progress("downloading", {"downloading": 5.0})
    assert await engines.read(pod("a")) is True
    assert await engines.read(pod("a")) is False
    assert engines.progress_of(pod("a")) == Progress("downloading", {"downloading": 5.0})
    for done, is_news in ((0, True), (4, False), (5, True), (9, False), (100, True)):
        told = Progress("downloading", {"downloading": 5.0}, (done, 100))
        pods.progresses["ip-of-a"] = told
        assert await engines.read(pod("a")) is is_news, "a twentieth is news, less is none"
        assert engines.progress_of(pod("a")) == told
    pods.progresses["ip-of-a"] = Progress("loading", {"downloading": 5.0, "loading": 9.0})
    assert await engines.read(pod("a")) is True
    engines.forget_all_but([])
    assert engines.progress_of(pod("a")) is None


async def test_a_served_model_is_asked_about_its_start_once_and_where_none_answers_not_for_ever(
    engines: Engines, pods: ScriptedPods
) -> None:
    pods.readings["ip-of-a"] = pods.readings["ip-of-b"] = beat(1)
    await engines.read(pod("a"))
    assert pods.asked_progress == [], "not while :8002 answers"
    pods.progresses["ip-of-a"] = Progress("serving", {"opening": 7.0})
    for _ in range(9):
        await engines.learn(pod("a"))
        await engines.learn(pod("b"))
    assert pods.asked_progress.count("ip-of-a") == 1
    assert pods.asked_progress.count("ip-of-b") == 3
    assert engines.progress_of(pod("a")) == Progress("serving", {"opening": 7.0})


def offers(*steps: tuple[float, bool | None]) -> list[Engine]:
    """The judgement after each answer of Triton at its time."""
    offer: Offer | None = None
    found = []
    for at, offered in steps:
        offer = judge_offer(offer, offered, (at, PATIENCE))
        found.append(offer.engine)
    return found


def test_a_refusal_counts_at_once_and_silence_after_the_patience() -> None:
    assert offers((0, True), (5, False), (6, True)) == [Engine.UP, Engine.NOT_OFFERED, Engine.UP]
    found = offers((0, True), (5, None), (10, None), (10.1, None), (20, True))
    assert found == [Engine.UP, Engine.UP, Engine.UP, Engine.CLOSED, Engine.UP]
    assert offers((0, None), (10, None), (11, None)) == [
        Engine.UNKNOWN,
        Engine.UNKNOWN,
        Engine.CLOSED,
    ]
    assert offers((0, False), (9, None), (11, None)) == [
        Engine.NOT_OFFERED,
        Engine.NOT_OFFERED,
        Engine.CLOSED,
    ]


def ready(name: str) -> Json:
    """A pod that kubelet calls ready."""
    found = pod(name)
    found["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    return found


async def test_triton_is_asked_before_an_engine_counts_and_once_a_minute_then(
    engines: Engines, pods: ScriptedPods, clock: HandClock
) -> None:
    async def read(*, offered: bool | None = True) -> tuple[bool, Engine]:
        pods.offered["ip-of-a"] = offered
        clock.now += PATIENCE
        pods.readings["ip-of-a"] = replace(beat(clock.now), models=frozenset({"m"}))
        news = await engines.read(ready("a"))
        return news, engines.of([ready("a")], "m")["a"]

    assert await read(offered=None) == (True, Engine.UNKNOWN)
    assert await read() == (True, Engine.UP)
    for _ in range(5):
        assert await read(offered=False) == (False, Engine.UP)
    assert pods.asked_offers == [("ip-of-a", "m")] * 2
    assert await read(offered=False) == (True, Engine.NOT_OFFERED)
    assert await read(offered=False) == (False, Engine.NOT_OFFERED)
    assert await read() == (True, Engine.UP)
    assert len(pods.asked_offers) == 5
    engines.forget_all_but([])
    assert await read() == (True, Engine.UP)
    assert len(pods.asked_offers) == 6


async def test_triton_is_not_asked_where_no_request_would_be_sent(
    engines: Engines, pods: ScriptedPods
) -> None:
    models = frozenset({"m"})
    pods.readings = {
        "ip-of-starting": replace(beat(1), models=models),
        "ip-of-dead": replace(beat(1, up=False), models=models),
        "ip-of-strange": replace(beat(1), models=frozenset({"m" * 1000})),
    }
    for each in (pod("starting"), ready("dead"), ready("strange")):
        await engines.read(each)
    assert pods.asked_offers == []
