"""What the page tells of a model."""

from dataclasses import replace
from typing import Any

import pytest

from e2e.page.invented import Fleet, Invented, Pod, ago
from qwen_operator.naming import Key
from qwen_operator.observe.sights import Watched
from qwen_operator.page.rows import detail, model, models, row

SOURCE = "hf://Qwen/Qwen3-8B"
SERVES = Pod((100, 99, 90, 50), tokens=100, running=3, waiting=1, cache=0.5)


def watched(*found: Invented) -> tuple[Fleet, Watched]:
    fleet = Fleet(found)
    return fleet, fleet.watched


async def told(one: Invented, *, whole: bool = False, rounds: int = 0) -> dict[str, Any]:
    fleet, seen = watched(one)
    for _ in range(rounds):
        await fleet.play()
    found = model(seen, Key(one.namespace, one.name))
    assert found is not None
    return detail(found) if whole else row(found)


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("Serving", "serving"),
        ("ModelLoading", "starting"),
        ("NotEnoughReplicas", "starting"),
        ("WaitingForGPU", "trouble"),
        ("KVCacheTooSmall", "trouble"),
        ("Suspended", "off"),
        ("ScaledToZero", "off"),
    ],
)
async def test_a_reason_is_trouble_a_start_serving_or_off(reason: str, state: str) -> None:
    found = await told(Invented("a", SOURCE, reason, "words"))
    assert (found["state"], found["reason"], found["message"]) == (state, reason, "words")
    assert bool(found["remedy"]) == (state == "trouble")


async def test_a_resource_without_a_status_is_starting_and_says_so() -> None:
    fleet = Fleet()
    bare = Invented("a", SOURCE).resource()
    del bare["status"]
    fleet.store.put(bare)
    found = model(fleet.watched, Key("chat", "a"))
    assert found is not None
    line = row(found)
    assert (line["state"], line["reason"], line["since"]) == ("starting", "Unknown", None)
    assert "not looked at it yet" in line["message"]


async def test_load_is_summed_over_the_pods_that_serve() -> None:
    starts = Pod((20, 19))
    found = await told(Invented("a", SOURCE, pods=(SERVES, SERVES, starts), wanted=3), rounds=2)
    assert (found["ready"], found["wanted"]) == (2, 3)
    load = found["load"]
    assert (load["running"], load["waiting"], load["cache"]) == (6, 2, 0.5)
    assert load["out"] > 0
    assert load["in"] == pytest.approx(3 * load["out"], abs=1)


async def test_a_pod_that_is_not_ready_any_more_has_no_part_in_the_load() -> None:
    one = Invented("a", SOURCE, pods=(SERVES,))
    fleet, seen = watched(one)
    await fleet.play()
    fleet.put(replace(one, pods=(Pod((100, 99, 90)),)))
    found = model(seen, Key("chat", "a"))
    assert found is not None
    assert found.paces
    assert row(found)["load"] is None


async def test_a_rate_needs_two_readings_and_a_load_one() -> None:
    one = Invented("a", SOURCE, pods=(SERVES,))
    assert (await told(one))["load"] is None
    first = (await told(one, rounds=1))["load"]
    assert (first["running"], first["out"]) == (3, None)


@pytest.mark.parametrize(
    ("reached", "phase"),
    [
        ((30,), ("scheduling", 30)),
        ((30, 20), ("pulling", 20)),
        ((30, 20, 10), ("loading", 10)),
        ((30, 20, 10, 5), None),
    ],
)
async def test_a_start_is_told_by_its_phase_and_since_when(
    reached: tuple[float, ...], phase: tuple[str, float] | None
) -> None:
    found = await told(Invented("a", SOURCE, "ModelLoading", pods=(Pod(reached),)))
    wanted = None if phase is None else {"name": phase[0], "since": ago(phase[1])}
    assert found["phase"] == wanted


async def test_a_backend_that_tells_of_its_start_is_heard() -> None:
    told_so = Pod((90, 80, 70), told={"downloading": 60, "loading": 20})
    one = Invented("a", SOURCE, "ModelLoading", pods=(Pod((95, 85, 75)), told_so))
    found = await told(one, whole=True, rounds=1)
    assert found["phase"] == {"name": "loading", "since": ago(75)}
    steps = found["pods"][1]["steps"]
    assert [each["name"] for each in steps] == [
        "scheduling",
        "pulling",
        "starting",
        "downloading",
        "loading",
    ]
    assert steps[-1]["since"] == ago(20)


async def test_how_much_of_a_download_is_here_is_told_with_its_phase() -> None:
    gib = 2**30
    loads = Pod((90, 80, 70), told={"downloading": 60}, download=(3 * gib, 15 * gib))
    found = await told(Invented("a", SOURCE, "ModelLoading", pods=(loads,)), whole=True, rounds=1)
    wanted = {"name": "downloading", "since": ago(60), "bytes": 3 * gib, "total": 15 * gib}
    assert found["phase"] == found["pods"][0]["steps"][-1] == wanted


async def test_the_pod_that_has_come_furthest_tells_the_phase() -> None:
    pods = (Pod((90,)), Pod((80, 70, 60)), Pod((50, 40)))
    found = await told(Invented("a", SOURCE, "ModelLoading", pods=pods))
    assert found["phase"]["name"] == "loading"


async def test_a_line_is_bounded_and_the_open_model_is_not() -> None:
    long = "x" * 2000
    one = Invented("a", SOURCE, "CrashLooping", long, pods=(Pod((9, 8, 7)),))
    assert len((await told(one))["message"]) == 300
    assert (await told(one, whole=True))["message"] == long


async def test_a_failure_is_told_with_its_pod_its_log_line_and_its_own_suggestion() -> None:
    failure = {
        "reason": "BadEngineArgument",
        "message": "no such argument",
        "pod": "a-1",
        "logLine": "TypeError: x",
        "suggestion": "Write y.",
    }
    one = Invented(
        "a", SOURCE, "BadEngineArgument", "no. What to do: y", status={"failure": failure}
    )
    found = await told(one, whole=True)
    assert (found["message"], found["remedy"]) == ("no such argument", "Write y.")
    assert (found["failedPod"], found["logLine"]) == ("a-1", "TypeError: x")
    assert found["means"]


async def test_the_open_model_tells_of_pods_conditions_adapters_and_keys() -> None:
    spec = {
        "engine": {"loraAdapters": [{"name": "poet", "source": "hf://a/b"}, "nonsense"]},
        "chat": {"apiKeySecretRef": {"name": "door"}},
    }
    one = Invented("a", SOURCE, pods=(SERVES,), spec={"model": {"source": SOURCE}, **spec})
    found = await told(one, whole=True, rounds=2)
    (pod,) = found["pods"]
    assert (pod["words"], pod["node"], pod["restarts"]) == ("serving", "gpu-1", 0)
    assert pod["load"]["running"] == 3
    assert [each["name"] for each in pod["steps"]] == ["scheduling", "pulling", "loading"]
    assert pod["readySince"] == ago(50)
    assert [each["type"] for each in found["conditions"]] == ["Accepted", "Ready"]
    assert found["adapters"] == ["poet"]
    assert found["asksForKey"] is True


async def test_nothing_of_the_spec_is_told_but_what_the_page_shows() -> None:
    private = "do-not-show"
    spec = {
        "model": {"source": SOURCE, "tokenSecretRef": {"name": private, "key": private}},
        "chat": {"systemPrompt": private, "apiKeySecretRef": {"name": private}},
        "triton": {"env": [{"name": "A", "value": private}]},
    }
    one = Invented("a", SOURCE, pods=(SERVES,), spec=spec)
    assert private not in str(await told(one, whole=True, rounds=1))
    assert private not in str(await told(one, rounds=1))


async def test_models_come_by_namespace_and_name_and_those_that_went_do_not() -> None:
    first, second = Invented("b", SOURCE, namespace="x"), Invented("a", SOURCE, namespace="y")
    fleet, seen = watched(second, first, Invented("a", SOURCE, namespace="x"))
    assert [str(key) for key, _ in models(seen)] == ["x/a", "x/b", "y/a"]
    fleet.drop(first)
    assert [str(key) for key, _ in models(seen)] == ["x/a", "y/a"]
    assert model(seen, Key("x", "b")) is None
