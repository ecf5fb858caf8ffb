"""Somebody else keeps changing a child: it is restored, ever more slowly, and told by name."""

import contextlib

import pytest

from qwen_operator.cluster.protocol import DEPLOYMENT, SERVICE
from qwen_operator.errors import Postponed
from qwen_operator.observe.disputes import CALM_SECONDS, FREE_CORRECTIONS, LONGEST_SECONDS
from qwen_operator.status.document import Json
from tests.unit.conftest import Bench
from tests.unit.stand_ins import resource_body


def edit(bench: Bench, *, who: str = "kubectl-edit") -> None:
    """Another manager gives the Deployment another number of pods."""
    body = bench.cluster.one(DEPLOYMENT, "qwen")
    managers = [
        {"manager": "qwen-operator", "time": "2026-01-01T00:00:01Z"},
        {"manager": who, "time": "2026-01-01T00:00:02Z"},
        {"manager": "kube-controller-manager", "time": "2026-01-03", "subresource": "status"},
    ]
    metadata = {**body["metadata"], "managedFields": managers}
    bench.cluster.put({**body, "metadata": metadata, "spec": {**body["spec"], "replicas": 9}})


async def corrected(bench: Bench) -> bool:
    """A pass after an edit; whether it set the Deployment back."""
    edit(bench)
    with contextlib.suppress(Postponed):
        await bench.once()
    return bool(bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["replicas"] == 1)


def ready(bench: Bench) -> Json:
    conditions = bench.cluster.resource()["status"]["conditions"]
    return next(each for each in conditions if each["type"] == "Ready")


@pytest.fixture
async def fought(bench: Bench) -> Bench:
    """A bench whose Deployment has been set back as often as that is done at once."""
    bench.add(resource_body())
    await bench.once()
    for _ in range(FREE_CORRECTIONS):
        assert await corrected(bench)
        bench.clock.now += 0.2
    return bench


async def test_a_conflict_names_the_other_manager_and_is_not_ready(fought: Bench) -> None:
    edit(fought)
    with pytest.raises(Postponed) as problem:
        await fought.once()
    assert ready(fought)["reason"] == "FieldConflict"
    assert "kubectl-edit" in ready(fought)["message"]
    assert "Deployment qwen" in ready(fought)["message"]
    assert problem.value.seconds >= 1


async def test_the_intervals_grow_up_to_a_bound(fought: Bench) -> None:
    waits: list[float] = []
    start = fought.clock.now
    while len(waits) < 10:
        if await corrected(fought):
            waits.append(fought.clock.now - start)
            start = fought.clock.now
        fought.clock.now += 1
    assert waits[0] < waits[2] < waits[4]
    assert max(waits) <= LONGEST_SECONDS + 1
    assert waits[-1] >= LONGEST_SECONDS


async def test_other_children_are_still_restored_meanwhile(fought: Bench) -> None:
    edit(fought)
    fought.cluster.take(SERVICE, "qwen")
    with pytest.raises(Postponed):
        await fought.once()
    assert fought.cluster.one(SERVICE, "qwen")


async def test_a_dispute_is_over_once_it_has_been_calm(fought: Bench) -> None:
    with pytest.raises(Postponed):
        await fought.once()
    fought.clock.now += CALM_SECONDS + 1
    await fought.once()
    assert ready(fought)["reason"] != "FieldConflict"


async def test_a_manager_that_removes_our_mark_is_in_conflict_too(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    for _ in range(FREE_CORRECTIONS):
        body = bench.cluster.one(DEPLOYMENT, "qwen")
        bench.cluster.put(
            {
                **body,
                "metadata": {
                    **body["metadata"],
                    "annotations": {"qwen-operator.dev/resource": "qwen"},
                },
            }
        )
        with contextlib.suppress(Postponed):
            await bench.once()
    assert ready(bench)["reason"] == "FieldConflict"


async def test_edits_of_the_user_are_no_conflict(bench: Bench) -> None:
    for count in range(FREE_CORRECTIONS * 3):
        bench.add(resource_body(replicas=count))
        await bench.once()
    assert ready(bench)["reason"] != "FieldConflict"
