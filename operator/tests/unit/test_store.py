"""What was last seen: newer wins, gone is gone, and a full list is the truth."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from qwen_operator.cluster.protocol import CONFIG_MAP, DEPLOYMENT, POD, QWEN, SERVICE, Kind, Page
from qwen_operator.desired.pod import config_maps
from qwen_operator.errors import Unreachable
from qwen_operator.facts import Outside, read_pod
from qwen_operator.loops.queue import Queue
from qwen_operator.loops.rounds import scrape
from qwen_operator.loops.sweeping import sweep
from qwen_operator.naming import MANAGED_BY, MANAGED_BY_LABEL, OWNER_ANNOTATION, Key
from qwen_operator.observe.slimming import unpacked
from qwen_operator.observe.store import Store, version_of
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
    assert store.put(member("a", 5)) == [KEY]
    assert store.put(member("a", 5)) == []
    assert store.put(member("a", 4)) == []
    assert store.put(member("a", 10) | {"status": {"phase": "Running"}}) == [KEY]
    (kept,) = store.members(KEY, POD)
    assert kept["metadata"]["resourceVersion"] == "10"


def test_a_newer_state_that_says_nothing_else_is_kept_and_is_no_news() -> None:
    store = Store()
    rolling = {"type": "Progressing", "status": "True"}
    stuck = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}

    def deployment(version: int, generation: int, *said: Json) -> Json:
        body = member("d", version, "Deployment")
        body["metadata"]["generation"] = generation
        spec = {"replicas": 1, "paused": generation > 1}
        return {**body, "spec": spec, "status": {"conditions": [*said], "replicas": version}}

    assert store.put(deployment(1, 1)) == [KEY]
    assert store.put(deployment(2, 1, rolling)) == []
    assert store.one(DEPLOYMENT, "d") is not None
    assert version_of(store.one(DEPLOYMENT, "d") or {}) == 2
    assert store.put(deployment(3, 1, rolling, stuck)) == [KEY]
    assert store.put(deployment(4, 1, rolling)) == [KEY], "it is not stuck any more"
    assert store.put(deployment(5, 2, rolling)) == [KEY], "somebody changed its specification"
    labelled = deployment(6, 2, rolling)
    labelled["metadata"]["labels"] = {"team": "a"}
    assert store.put(labelled) == [KEY]


def test_objects_of_nobody_are_not_kept() -> None:
    store = Store()
    assert store.put(member("a", 1, owner=None)) == []
    assert store.pods() == []
    assert store.keys() == set()


def test_what_is_dropped_is_forgotten_with_its_key() -> None:
    store = Store()
    store.put(member("a", 1))
    assert store.drop(member("a", 2)) == [KEY]
    assert store.drop(member("a", 2)) == []
    assert store.keys() == set()


def test_an_answer_that_is_older_than_the_end_brings_nothing_back() -> None:
    store = Store()
    store.put(member("a", 1))
    store.drop(member("a", 3))
    assert store.put(member("a", 2)) == []
    assert store.put(member("a", 4)) == [KEY], "its label was taken away, and came back"


def test_what_all_of_a_namespace_share_is_news_for_each_of_them() -> None:
    store = Store()
    shared = member("qwen-backend.0123", 1, "ConfigMap", owner=None)
    assert store.put(shared) == []
    for name in ("a", "b"):
        store.put(member(name, 1, owner=name))
    elsewhere = member("c", 1, owner="c")
    elsewhere["metadata"]["namespace"] = "elsewhere"
    store.put(elsewhere)
    shared["metadata"] |= {"resourceVersion": "2", "labels": {}}
    both = {Key("models", "a"), Key("models", "b")}
    assert set(store.put(shared)) == both
    assert [each["metadata"]["name"] for each in store.for_all("models")] == ["qwen-backend.0123"]
    assert store.for_all("elsewhere") == []
    assert set(store.drop(shared)) == both
    assert store.namespaces() == set()


def test_bulky_fields_are_not_kept() -> None:
    store = Store()
    store.put(member("a", 1, "Service"))
    (kept,) = store.members(KEY, SERVICE)
    assert kept["metadata"]["managedFields"] == [{"manager": "x"}]


def test_a_specification_is_taken_over_from_the_same_generation_and_no_other() -> None:
    store = Store()
    for version, generation, replicas in ((1, 1, 1), (2, 1, 1), (3, 2, 5)):
        body = member("a", version, "Deployment") | {"spec": {"replicas": replicas}}
        body["metadata"]["generation"] = generation
        said = [{"type": "ReplicaFailure", "message": str(version)}]
        store.put(body | {"status": {"conditions": said, "replicas": 1}})
        (kept,) = store.members(KEY, DEPLOYMENT)
        assert kept["spec"]["replicas"] == replicas
        assert unpacked(kept)["spec"] == {"replicas": replicas}
        assert kept["status"] == {"conditions": said}


def test_of_a_pods_volumes_the_config_maps_names_are_kept() -> None:
    store = Store()
    sources = [{"configMap": {"name": "a", "items": []}}, {"secret": {"name": "s"}}]
    volumes = [{"name": "x", "projected": {"sources": sources}}, {"name": "tmp", "emptyDir": {}}]
    plain = {"name": "y", "configMap": {"name": "b"}}
    store.put(member("a", 1) | {"spec": {"volumes": [*volumes, plain]}})
    assert config_maps(store.pods()[0]["spec"]["volumes"]) == {"a", "b"}


def test_of_a_pods_specification_only_what_is_read_is_kept() -> None:
    store = Store()
    serving = {"name": "triton", "image": "i", "resources": {"limits": {"nvidia.com/gpu": "2"}}}
    containers = [{**serving, "env": [{"name": "A", "value": "1"}]}, {"name": "sidecar"}]
    pod = member("a", 1) | {
        "spec": {"nodeName": "n", "volumes": [], "containers": containers, "tolerations": []}
    }
    store.put(pod)
    assert store.pods()[0]["spec"] == {"nodeName": "n", "volumes": [], "containers": [serving]}
    found = read_pod(store.pods()[0], Outside())
    assert (found.image, found.gpus) == ("i", "2 nvidia.com/gpu")


def test_a_text_that_a_thousand_objects_carry_is_held_once() -> None:
    store = Store()
    for name in ("a", "b"):
        # Made at run time: equal constants of one file are one object anyway.
        text = " ".join(["node", name[:0], "one"])
        store.put(member(name, 1) | {"spec": {"nodeName": text}})
    first, second = (each["spec"]["nodeName"] for each in store.members(KEY, POD))
    assert first is second


def test_of_a_config_maps_content_a_digest_is_kept_that_tells_any_two_apart() -> None:
    store = Store()
    contents = [{"data": {"a": "1"}}, {"data": {"a": "2"}}, {"binaryData": {"a": "1"}}]
    for number, content in enumerate(contents):
        store.put(member(str(number), 1, "ConfigMap") | content)
    kept = store.members(KEY, CONFIG_MAP)
    assert len({each["content"] for each in kept}) == 3
    assert not any({"data", "binaryData"} & set(each) for each in kept)


def test_a_list_removes_what_it_does_not_hold_and_only_of_its_kind() -> None:
    store = Store()
    store.put(member("old", 1))
    store.put(member("kept", 1))
    store.put(member("service", 1, "Service", "other"))
    assert store.known(POD, None) == store.known(POD, "models") == {"old", "kept"}
    assert store.known(POD, "elsewhere") == set()
    assert store.forget(POD, {"old", "never seen"}) == [KEY]
    assert [each["metadata"]["name"] for each in store.pods()] == ["kept"]
    assert store.keys() == {KEY, Key("models", "other")}


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


async def test_a_failed_listing_forgets_nothing_of_its_kind(bench: Bench) -> None:
    bench.add(resource_body())
    bench.add(member("a", 1))
    bench.cluster.listener = lambda _event, _body: None
    bench.cluster.take(POD, "a")
    bench.cluster.take(QWEN, "qwen")
    bench.cluster.put(member("late", 1, "Service"))
    queue = Queue(HandClock())
    for kind, pods in (("Pod", 1), ("QwenDeployment", 0)):
        bench.cluster.refusals = {("list", kind): Unreachable("away")}
        with pytest.raises(Unreachable):
            await sweep(bench.cluster, bench.store, queue, Settings())
        assert len(bench.store.pods()) == pods
        assert bench.store.resource(KEY) is not None
    assert queue._pop()[0] == KEY, "what was found before is worked on"


async def test_a_kind_that_cannot_be_listed_keeps_no_other_from_being_listed(bench: Bench) -> None:
    bench.cluster.listener = lambda _event, _body: None
    bench.cluster.put(member("late", 1, "Service"))
    bench.cluster.refusals = {("list", CONFIG_MAP.kind): Unreachable("away")}
    with pytest.raises(Unreachable):
        await sweep(bench.cluster, bench.store, Queue(HandClock()), Settings())
    assert len(bench.store.members(KEY, SERVICE)) == 1


async def test_a_sweep_reads_one_list_at_a_time(bench: Bench) -> None:
    listed, reading = bench.cluster.pages, list[str]()

    async def slowly(kind: Kind, namespace: str | None, selector: str = "") -> AsyncIterator[Page]:
        reading.append(kind.kind)
        await asyncio.sleep(0)
        assert reading == [kind.kind]
        async for page in listed(kind, namespace, selector):
            yield page
        reading.clear()

    bench.cluster.pages = slowly  # type: ignore[method-assign, assignment]
    await sweep(bench.cluster, bench.store, Queue(HandClock()), Settings())
    assert bench.cluster.calls


async def test_what_comes_while_a_list_is_read_is_no_ghost(bench: Bench) -> None:
    bench.add(resource_body())
    listed = bench.cluster.pages

    def late(kind: Kind, namespace: str | None, selector: str = "") -> AsyncIterator[Page]:
        found = listed(kind, namespace, selector)
        if kind is POD:
            bench.store.put(member("young", 1))
        return found

    bench.cluster.pages = late  # type: ignore[method-assign, assignment]
    await sweep(bench.cluster, bench.store, Queue(HandClock()), Settings())
    assert [each["metadata"]["name"] for each in bench.store.pods()] == ["young"]


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
    await scrape((bench.store, bench.engines), queue)
    assert queue._pop()[0] == KEY
    queue.done(KEY)
    bench.pods.readings["ip"] = Reading(up=True, heartbeat=2)
    await scrape((bench.store, bench.engines), queue)
    assert len(queue) == 0
    bench.pods.readings["ip"] = Reading(up=False, heartbeat=2)
    await scrape((bench.store, bench.engines), queue)
    assert len(queue) == 1
