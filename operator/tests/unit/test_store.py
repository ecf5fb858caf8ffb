"""What was last seen: newer wins, gone is gone, and a full list is the truth."""

import pytest

from qwen_operator.cluster.protocol import CONFIG_MAP, POD, QWEN, SERVICE
from qwen_operator.errors import Unreachable
from qwen_operator.loops.queue import Queue
from qwen_operator.loops.rounds import scrape, sweep
from qwen_operator.naming import MANAGED_BY, MANAGED_BY_LABEL, OWNER_ANNOTATION, Key
from qwen_operator.observe.store import Store
from qwen_operator.settings import Settings
from qwen_operator.triton.metrics import Reading
from tests.unit.conftest import Bench
from tests.unit.stand_ins import HandClock, Json, resource_body

KEY = Key("models", "qwen")


def member(name: str, version: int, kind: str = "Pod", owner: str | None = "qwen") -> Json:
    annotations = {OWNER_ANNOTATION: owner} if owner else {}
    metadata = {
        "name": name,
        "namespace": "models",
        "uid": name,
        "resourceVersion": str(version),
        "annotations": annotations,
        "labels": {MANAGED_BY_LABEL: MANAGED_BY},
        "managedFields": [{"manager": "x", "fieldsV1": {"f:spec": {}}}],
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def test_news_name_their_resource_and_old_news_do_not() -> None:
    store = Store()
    assert store.put(member("a", 5)) == KEY
    assert store.put(member("a", 5)) is None
    assert store.put(member("a", 4)) is None
    assert store.put(member("a", 10)) == KEY
    (kept,) = store.members(KEY, POD)
    assert kept["metadata"]["resourceVersion"] == "10"


def test_objects_of_nobody_are_not_kept() -> None:
    store = Store()
    assert store.put(member("a", 1, owner=None)) is None
    assert store.pods() == []
    assert store.keys() == set()


def test_what_is_dropped_is_forgotten_with_its_key() -> None:
    store = Store()
    store.put(member("a", 1))
    assert store.drop(member("a", 1)) == KEY
    assert store.drop(member("a", 1)) is None
    assert store.keys() == set()


def test_bulky_fields_are_not_kept() -> None:
    store = Store()
    store.put(member("a", 1))
    (entry,) = store.pods()[0]["metadata"]["managedFields"]
    assert "fieldsV1" not in entry


def test_of_a_pods_specification_only_what_is_read_is_kept() -> None:
    store = Store()
    pod = member("a", 1) | {
        "spec": {"nodeName": "n", "volumes": [], "containers": [{"image": "i"}]}
    }
    store.put(pod)
    assert store.pods()[0]["spec"] == {"nodeName": "n", "volumes": []}


def test_a_text_that_a_thousand_objects_carry_is_held_once() -> None:
    store = Store()
    for name in ("a", "b"):
        # Made at run time: equal constants of one file are one object anyway.
        text = " ".join(["source", name[:0], "code"])
        store.put(member(name, 1, "ConfigMap") | {"data": {"model.py": text}})
    first, second = (each["data"]["model.py"] for each in store.members(KEY, CONFIG_MAP))
    assert first is second


def test_a_list_removes_what_it_does_not_hold_and_only_of_its_kind() -> None:
    store = Store()
    store.put(member("old", 1))
    store.put(member("kept", 1))
    store.put(member("service", 1, "Service", "other"))
    assert store.replace(POD, [member("kept", 1), member("new", 2)]) == {KEY}
    assert {each["metadata"]["name"] for each in store.pods()} == {"kept", "new"}
    assert store.keys() == {KEY, Key("models", "other")}
    assert store.replace(POD, [member("kept", 1), member("new", 2)]) == set()


def test_of_a_recreated_resource_the_later_counts() -> None:
    store = Store()
    for uid, version in (("new", 9), ("old", 3)):
        body = resource_body()
        body["metadata"] |= {"uid": uid, "resourceVersion": str(version)}
        store.put(body)
    found = store.resource(KEY)
    assert found is not None
    assert found["metadata"]["uid"] == "new"


async def test_a_sweep_finds_what_watches_missed(bench: Bench) -> None:
    bench.add(resource_body())
    bench.add(member("a", 1))
    bench.add(member("gone", 1))
    bench.cluster.listener = lambda _event, _body: None
    bench.cluster.take(POD, "gone")
    bench.cluster.put(member("service", 1, "Service"))
    queue = Queue(HandClock())
    await sweep(bench.cluster, bench.store, queue, Settings())
    assert queue._pop()[0] == KEY
    assert len(bench.store.members(KEY, SERVICE)) == 1
    assert [each["metadata"]["name"] for each in bench.store.pods()] == ["a"]
    queue.done(KEY)
    await sweep(bench.cluster, bench.store, queue, Settings())
    assert len(queue) == 0, "a sweep without news pokes nobody"


@pytest.mark.parametrize("kind", ["Pod", "QwenDeployment"])
async def test_a_failed_sweep_forgets_nothing(bench: Bench, kind: str) -> None:
    bench.add(resource_body())
    bench.add(member("a", 1))
    bench.cluster.listener = lambda _event, _body: None
    bench.cluster.take(POD, "a")
    bench.cluster.refusals["list", kind] = Unreachable("away")
    with pytest.raises(Unreachable):
        await sweep(bench.cluster, bench.store, Queue(HandClock()), Settings())
    assert len(bench.store.pods()) == 1
    assert bench.store.resource(KEY) is not None


async def test_a_sweep_lists_only_watched_namespaces(bench: Bench) -> None:
    other = resource_body()
    other["metadata"] |= {"namespace": "elsewhere", "uid": "other"}
    bench.cluster.listener = lambda _event, _body: None
    for body in (resource_body(), other):
        bench.cluster.put(body)
    settings = Settings(watch_namespaces=("models",))
    await sweep(bench.cluster, bench.store, Queue(HandClock()), settings)
    assert bench.store.keys() == {KEY}
    assert {where for _, _, where in bench.cluster.calls} == {"models"}
    assert ("list", QWEN.kind, "models") in bench.cluster.calls


async def test_a_scrape_pokes_only_resources_whose_engines_changed(bench: Bench) -> None:
    pod = member("a", 1)
    state = {"name": "triton", "restartCount": 0, "state": {"running": {}}}
    bench.add({**pod, "status": {"podIP": "ip", "containerStatuses": [state]}})
    bench.pods.readings["ip"] = Reading(up=True, heartbeat=1)
    queue = Queue(HandClock())
    await scrape(bench.store, bench.engines, queue)
    assert queue._pop()[0] == KEY
    queue.done(KEY)
    bench.pods.readings["ip"] = Reading(up=True, heartbeat=2)
    await scrape(bench.store, bench.engines, queue)
    assert len(queue) == 0
    bench.pods.readings["ip"] = Reading(up=False, heartbeat=2)
    await scrape(bench.store, bench.engines, queue)
    assert len(queue) == 1
