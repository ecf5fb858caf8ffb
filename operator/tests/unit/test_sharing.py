"""The backend's source: one ConfigMap for all resources of a namespace, gone with the last user."""

import asyncio

import pytest

from qwen_operator.cluster.protocol import CONFIG_MAP, DEPLOYMENT, POD, QWEN, SERVICE, Kind
from qwen_operator.desired.repository import Files, backend_files
from qwen_operator.errors import Refused
from qwen_operator.naming import MANAGED_BY_LABEL
from qwen_operator.reconcile.passes import Reconciler
from qwen_operator.settings import Settings
from tests.unit.conftest import Bench
from tests.unit.stand_ins import BACKEND, NOW, SOURCES, Json, resource_body
from tests.unit.test_reconcile import conditions, pod_of

NEWER = backend_files({**SOURCES, "model.py": "# a later one\n"})


def named(name: str, **spec: object) -> Json:
    body = resource_body(name, **spec)
    body["metadata"]["uid"] = f"uid-of-{name}"
    return body


def shared(bench: Bench) -> set[str]:
    names = (each["metadata"]["name"] for each in bench.cluster.all(CONFIG_MAP))
    return {name for name in names if name.startswith("qwen-backend.")}


def upgrade(bench: Bench, backend: Files = NEWER) -> None:
    """Another version of the operator looks at the same cluster."""
    bench.reconcile = Reconciler(
        bench.cluster,
        (bench.store, bench.engines, bench.reconcile._warnings, bench.capacity),
        (Settings(), backend),
        (lambda: NOW, bench.clock),
        settle_seconds=0,
    )


async def test_resources_that_come_at_once_make_it_once(bench: Bench) -> None:
    names = ["a", "b", "c"]
    for name in names:
        bench.add(named(name))
    at_once = bench.cluster.get

    async def slowly(kind: Kind, namespace: str, name: str) -> Json:
        await asyncio.sleep(0.01)
        return await at_once(kind, namespace, name)

    bench.cluster.get = slowly  # type: ignore[method-assign]
    await asyncio.gather(*map(bench.once, names))
    assert shared(bench) == {BACKEND.name}
    assert bench.cluster.calls.count(("apply", "ConfigMap", BACKEND.name)) == 1
    assert bench.cluster.calls.count(("get", "ConfigMap", BACKEND.name)) == 1


async def test_it_has_no_owner_and_holds_every_file_that_is_not_a_resources_own(
    bench: Bench,
) -> None:
    bench.add(resource_body())
    await bench.once()
    found = bench.cluster.one(CONFIG_MAP, BACKEND.name)
    assert "ownerReferences" not in found["metadata"]
    assert found["immutable"]
    assert found["data"] == {
        "model.py": SOURCES["model.py"],
        "qwen_triton.wire.py": SOURCES["wire.py"],
    }


async def test_another_content_under_its_name_is_left_alone_and_said(bench: Bench) -> None:
    metadata = {"name": BACKEND.name, "namespace": "models"}
    theirs = bench.add({"kind": "ConfigMap", "metadata": metadata, "data": {"model.py": "evil"}})
    bench.add(resource_body())
    with pytest.raises(Refused, match="content that is not ours"):
        await bench.once()
    assert bench.cluster.one(CONFIG_MAP, BACKEND.name)["data"] == theirs["data"]
    assert bench.cluster.all(DEPLOYMENT) == []
    assert conditions(bench)["Ready"]["reason"] == "NameTaken"


async def test_a_label_that_was_taken_from_it_comes_back(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    found = bench.cluster.one(CONFIG_MAP, BACKEND.name)
    del found["metadata"]["labels"][MANAGED_BY_LABEL]
    bench.store.drop(bench.add(found))  # as a watch tells of what left its selection
    await bench.once()
    assert MANAGED_BY_LABEL in bench.cluster.one(CONFIG_MAP, BACKEND.name)["metadata"]["labels"]
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls == []


async def test_who_keeps_changing_it_is_not_answered_for_ever(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    bench.cluster.calls.clear()
    for _ in range(20):
        found = bench.cluster.one(CONFIG_MAP, BACKEND.name)
        found["metadata"]["labels"][MANAGED_BY_LABEL] = "somebody"
        bench.add(found)
        await bench.once()
    assert 0 < len(bench.cluster.writes()) < 10


async def test_deleted_by_hand_it_is_made_again(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    bench.cluster.take(CONFIG_MAP, BACKEND.name)
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.writes() == [("apply", "ConfigMap", BACKEND.name)]


async def test_it_goes_with_the_last_pod_of_the_last_resource(bench: Bench) -> None:
    for name in ("qwen", "other"):
        bench.add(named(name))
        await bench.once(name)
    pod = bench.add(pod_of(bench))
    for name in ("other", "qwen"):
        bench.cluster.take(QWEN, name)
        await bench.once(name)
        assert shared(bench) == {BACKEND.name}
        bench.cluster.take(DEPLOYMENT, name)
        await bench.once(name)
        assert shared(bench) == {BACKEND.name}, "a resource, or a pod that still runs, reads it"
    bench.cluster.take(POD, pod["metadata"]["name"])
    await bench.once("qwen")
    assert shared(bench) == set()


async def test_what_was_left_while_the_operator_was_down_goes_when_it_tidies_up(
    bench: Bench,
) -> None:
    bench.add(resource_body())
    await bench.once()
    await bench.reconcile.tidy()
    assert shared(bench) == {BACKEND.name}
    bench.cluster.take(DEPLOYMENT, "qwen")
    await bench.reconcile.tidy()
    assert shared(bench) == {BACKEND.name}, "the next pass needs it"
    bench.cluster.take(QWEN, "qwen")
    await bench.reconcile.tidy()
    assert shared(bench) == set()


async def test_a_refused_tidying_is_no_trouble_of_a_resource(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    bench.cluster.take(DEPLOYMENT, "qwen")
    bench.cluster.take(QWEN, "qwen")
    bench.cluster.refusals["delete", "ConfigMap"] = Refused("403: no")
    await bench.once()
    assert shared(bench) == {BACKEND.name}


async def test_an_older_one_stays_as_long_as_a_deployment_is_held_back_at_it(bench: Bench) -> None:
    bench.add(named("held"))
    bench.add(named("eager", updatePolicy="Always"))
    for name in ("held", "eager"):
        await bench.once(name)
    upgrade(bench)
    for name in ("held", "eager"):
        await bench.once(name)
    await bench.reconcile.tidy()
    assert shared(bench) == {BACKEND.name, NEWER.name}
    bench.add(named("held", updatePolicy="Always"))
    await bench.once("held")
    await bench.reconcile.tidy()
    assert shared(bench) == {NEWER.name}


async def test_an_operator_that_holds_all_back_makes_no_newer_one(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    upgrade(bench)
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls == []
    assert shared(bench) == {BACKEND.name}


async def test_services_that_are_long_in_coming_hold_up_no_deployment(bench: Bench) -> None:
    names = [f"q{number}" for number in range(40)]
    for name in names:
        bench.add(named(name))
    apply, answer = bench.cluster.apply, asyncio.Event()
    waiting = 0

    async def slowly(manifest: Json, *, new: bool = False) -> Json:
        nonlocal waiting
        if manifest["kind"] == "Service":
            waiting += 1
            await answer.wait()
        return await apply(manifest, new=new)

    bench.cluster.apply = slowly  # type: ignore[method-assign]
    passes = [asyncio.create_task(bench.once(name)) for name in names]
    async with asyncio.timeout(5):
        while len(bench.cluster.all(DEPLOYMENT)) < len(names):  # noqa: ASYNC110 - as many events
            await asyncio.sleep(0)
    assert 0 < waiting < 20, "nor do they take all connections"
    answer.set()
    await asyncio.gather(*passes)
    assert len(bench.cluster.all(SERVICE)) == len(names)
