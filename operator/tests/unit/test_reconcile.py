"""A pass: what is written, in which order, and above all when nothing is."""

import contextlib
import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_operator import naming
from qwen_operator.cluster.protocol import CONFIG_MAP, DEPLOYMENT, EVENT, POD, QWEN, SERVICE, Kind
from qwen_operator.desired.pod import config_maps as read_by
from qwen_operator.errors import Gone, OperatorError, Postponed, Refused, Unreachable
from qwen_operator.naming import Key
from qwen_operator.triton.metrics import Reading
from tests.unit.conftest import PATIENCE, Bench, make_bench
from tests.unit.stand_ins import BACKEND, NOW, UID, Json, resource_body


def conditions(bench: Bench, name: str = "qwen") -> dict[str, Json]:
    found = bench.cluster.resource(name)["status"]["conditions"]
    return {each["type"]: each for each in found}


def config_maps(bench: Bench) -> list[str]:
    """Names of those with a resource's own files."""
    names = [each["metadata"]["name"] for each in bench.cluster.all(CONFIG_MAP)]
    return [name for name in names if name != BACKEND.name]


def owned(bench: Bench, kind: Kind) -> list[Json]:
    return [each for each in bench.cluster.all(kind) if "ownerReferences" in each["metadata"]]


def edit(bench: Bench, **spec: object) -> None:
    body = bench.cluster.resource()
    generation = body["metadata"]["generation"] + 1
    metadata = {**body["metadata"], "generation": generation}
    bench.add({**body, "metadata": metadata, "spec": {**body["spec"], **spec}})


def pod_of(bench: Bench, name: str = "qwen-aaa", *, ready: bool = True) -> Json:
    """A pod as the present Deployment would make it."""
    template = bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["template"]
    state = {"name": "triton", "restartCount": 0, "state": {"running": {}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": name, "namespace": "models"},
        "spec": template["spec"],
        "status": {
            "podIP": f"ip-of-{name}",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": str(ready)},
            ],
            "containerStatuses": [state],
        },
    }


async def test_the_first_pass_makes_what_pods_need_first_and_reports(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    applied = [kind for verb, kind, _ in bench.cluster.writes() if verb == "apply"]
    assert applied == ["ConfigMap", "ConfigMap", "Deployment", "Service"]
    assert bench.cluster.writes()[0] == ("apply", "ConfigMap", BACKEND.name)
    assert [verb for verb, _, _ in bench.cluster.writes()][4:] == ["apply_status"]
    status = bench.cluster.resource()["status"]
    assert status["observedGeneration"] == 1
    assert status["replicas"] == 0
    assert status["selector"] == f"{naming.INSTANCE_LABEL}=qwen,{naming.UID_LABEL}={UID}"
    assert conditions(bench)["Ready"]["reason"] == "NotEnoughReplicas"
    assert bench.cluster.all(EVENT) == [], "that a start is under way is no event"


async def test_the_second_pass_calls_nothing(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    bench.cluster.calls.clear()
    bench.time[0] = "2026-09-09T09:09:09Z"
    await bench.once()
    assert bench.cluster.calls == []


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 3),
        "suspend": st.booleans(),
        "engine": st.fixed_dictionaries({}, optional={"maxModelLen": st.integers(1, 3)}),
        "resources": st.fixed_dictionaries(
            {}, optional={"memory": st.sampled_from(["1Gi", "1024Mi"]), "cpu": st.just("0.5")}
        ),
        "chat": st.fixed_dictionaries({"systemPrompt": st.text(max_size=5)}),
    },
)


@settings(max_examples=25)
@given(st.lists(SPECS, min_size=1, max_size=4))
async def test_whatever_the_edits_the_pass_after_the_last_calls_nothing(specs: list[Json]) -> None:
    bench = make_bench()
    bench.add(resource_body())
    for spec in specs:
        edit(bench, **spec)
        await bench.once()
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls == []
    assert len(config_maps(bench)) == 1


async def test_a_changed_setting_keeps_the_old_files_while_a_pod_uses_them(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    (old,) = config_maps(bench)
    pod = bench.add(pod_of(bench))
    edit(bench, engine={"maxModelLen": 512})
    bench.cluster.calls.clear()
    await bench.once()
    assert [(verb, kind) for verb, kind, _ in bench.cluster.writes() if verb != "create"] == [
        ("apply", "ConfigMap"),
        ("apply", "Deployment"),
        ("apply_status", "QwenDeployment"),
    ]
    kept, new = config_maps(bench)
    assert kept == old
    volumes = bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["template"]["spec"]["volumes"]
    assert read_by(volumes) == {new, BACKEND.name}
    assert bench.cluster.resource()["status"]["updatedReplicas"] == 0
    bench.cluster.take(POD, pod["metadata"]["name"])
    await bench.once()
    assert config_maps(bench) == [new]


async def test_what_is_set_back_is_told_with_who_had_changed_it(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    deployment = bench.cluster.one(DEPLOYMENT, "qwen")
    deployment["spec"]["revisionHistoryLimit"] = 9
    deployment["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "time": NOW}]
    bench.add(deployment)
    await bench.once()
    (told,) = [each for each in bench.cluster.all(EVENT) if each["reason"] == "DriftCorrected"]
    assert told["type"] == "Normal"
    assert "Deployment qwen was changed by the field manager kubectl-edit" in told["message"]
    await bench.once()
    assert len([e for e in bench.cluster.all(EVENT) if e["reason"] == "DriftCorrected"]) == 1


@pytest.mark.parametrize("kind", [SERVICE, DEPLOYMENT], ids=lambda kind: kind.kind)
async def test_a_foreign_object_of_our_name_is_left_as_it_is(bench: Bench, kind: Kind) -> None:
    foreign = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": "qwen",
            "namespace": "models",
            "ownerReferences": [{"kind": "Widget", "name": "w", "uid": "w", "controller": True}],
        },
        "spec": {"theirs": True},
    }
    before = copy.deepcopy(bench.add(foreign))
    bench.add(resource_body())
    with pytest.raises(Refused, match="Widget w"):
        await bench.once()
    assert bench.cluster.one(kind, "qwen") == before
    ready = conditions(bench)["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "NameTaken")
    assert kind.kind in ready["message"]
    bench.cluster.take(kind, "qwen")
    await bench.once()
    assert conditions(bench)["Ready"]["reason"] == "NotEnoughReplicas"
    assert {each["kind"] for each in bench.cluster.all(kind)} == {kind.kind}


async def test_an_object_without_an_owner_is_left_as_it_is(bench: Bench) -> None:
    bench.add({"kind": "Service", "metadata": {"name": "qwen", "namespace": "models"}, "spec": {}})
    bench.add(resource_body())
    with pytest.raises(Refused, match="nobody"):
        await bench.once()
    assert bench.cluster.one(SERVICE, "qwen")["spec"] == {}
    assert bench.cluster.all(DEPLOYMENT) == []


@pytest.mark.parametrize("kind", [SERVICE, DEPLOYMENT], ids=lambda kind: kind.kind)
async def test_a_child_that_lost_its_label_gets_it_back_but_not_in_an_endless_quarrel(
    bench: Bench, kind: Kind
) -> None:
    bench.add(resource_body())
    await bench.once()
    made = bench.cluster.one(kind, "qwen")
    for number in range(20):
        found = bench.cluster.one(kind, "qwen")
        del found["metadata"]["labels"][naming.MANAGED_BY_LABEL]
        bench.store.drop(bench.add(found))  # as a watch tells of what left its selection
        bench.cluster.calls.clear()
        with contextlib.suppress(Postponed):
            await bench.once()
        if number == 0:
            assert bench.cluster.one(kind, "qwen")["metadata"]["uid"] == made["metadata"]["uid"]
        labels = bench.cluster.one(kind, "qwen")["metadata"]["labels"]
        if naming.MANAGED_BY_LABEL not in labels:
            break
    assert 1 <= number < 10


async def test_a_server_that_takes_no_version_for_what_is_new_is_asked_again(bench: Bench) -> None:
    bench.cluster.refuses_versions = True
    bench.add(resource_body())
    await bench.once()
    assert conditions(bench)["Ready"]["reason"] == "NotEnoughReplicas"
    assert all(bench.cluster.all(kind) for kind in (CONFIG_MAP, SERVICE, DEPLOYMENT))


async def test_children_of_a_predecessor_are_waited_for_and_not_adopted(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    left = bench.cluster.all(DEPLOYMENT)
    bench.cluster.take(QWEN, "qwen")
    again = resource_body()
    again["metadata"]["uid"] = "another-uid"
    bench.add(again)
    with pytest.raises(Unreachable, match="predecessor"):
        await bench.once()
    assert bench.cluster.all(DEPLOYMENT) == left
    for kind in (CONFIG_MAP, SERVICE, DEPLOYMENT):
        for each in owned(bench, kind):
            bench.cluster.take(kind, each["metadata"]["name"])
    await bench.once()
    for kind in (CONFIG_MAP, SERVICE, DEPLOYMENT):
        (child,) = owned(bench, kind)
        assert child["metadata"]["ownerReferences"][0]["uid"] == "another-uid"


async def test_an_invalid_spec_is_said_and_no_child_is_touched(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    children = [bench.cluster.all(kind) for kind in (CONFIG_MAP, SERVICE, DEPLOYMENT)]
    edit(bench, engine={"gpuMemoryUtilization": 7})
    bench.cluster.calls.clear()
    await bench.once()
    assert [bench.cluster.all(kind) for kind in (CONFIG_MAP, SERVICE, DEPLOYMENT)] == children
    found = conditions(bench)
    assert found["Accepted"]["status"] == "False"
    assert "spec.engine.gpuMemoryUtilization" in found["Accepted"]["message"]
    assert found["Ready"]["reason"] == "InvalidSpec"
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls == []
    edit(bench, engine={})
    await bench.once()
    assert conditions(bench)["Accepted"]["status"] == "True"


async def test_a_hand_edited_port_is_restored(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    service = bench.cluster.one(SERVICE, "qwen")
    broken = copy.deepcopy(service)
    broken["spec"]["ports"][0]["port"] = 1
    bench.add(broken)
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls[:2] == [("merge", "Service", "qwen"), ("apply", "Service", "qwen")]
    assert {kind for _verb, kind, _name in bench.cluster.calls[2:]} == {"Event"}
    assert bench.cluster.one(SERVICE, "qwen")["spec"] == service["spec"]


@pytest.mark.parametrize("kind", [CONFIG_MAP, SERVICE, DEPLOYMENT], ids=lambda kind: kind.kind)
async def test_a_deleted_child_is_made_again(bench: Bench, kind: Kind) -> None:
    bench.add(resource_body())
    await bench.once()
    (child,) = owned(bench, kind)
    name = child["metadata"]["name"]
    bench.cluster.take(kind, name)
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.writes() == [("apply", kind.kind, name)]


@pytest.mark.parametrize("kind", [CONFIG_MAP, SERVICE, DEPLOYMENT], ids=lambda kind: kind.kind)
async def test_a_refusal_becomes_a_condition_with_its_words(bench: Bench, kind: Kind) -> None:
    bench.add(resource_body())
    bench.cluster.refusals["apply", kind.kind] = Refused("403: a quota says no")
    with pytest.raises(Refused):
        await bench.once()
    ready = conditions(bench)["Ready"]
    assert ready["reason"] == "ApplyRefused"
    assert "403: a quota says no" in ready["message"]
    bench.cluster.refusals.clear()
    await bench.once()
    assert conditions(bench)["Ready"]["reason"] == "NotEnoughReplicas"


async def test_a_refused_pruning_is_a_condition_too(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    edit(bench, engine={"maxModelLen": 512})
    bench.cluster.refusals["delete", "ConfigMap"] = Refused("403: not allowed to delete")
    with pytest.raises(Refused):
        await bench.once()
    assert conditions(bench)["Ready"]["reason"] == "ApplyRefused"


@pytest.mark.parametrize("verb", ["apply", "get", "apply_status"])
async def test_an_unreachable_server_ends_the_pass_and_the_next_one_finishes_it(
    bench: Bench, verb: str
) -> None:
    kind = "QwenDeployment" if verb == "apply_status" else "Service"
    bench.add(resource_body())
    bench.cluster.refusals[verb, kind] = Unreachable("away")
    with pytest.raises(Unreachable):
        await bench.once()
    bench.cluster.refusals.clear()
    await bench.once()
    assert len(bench.cluster.all(DEPLOYMENT)) == 1
    assert conditions(bench)["Ready"]["reason"] == "NotEnoughReplicas"


@pytest.mark.parametrize("gone", [True, False])
async def test_nothing_is_called_for_a_resource_that_leaves(bench: Bench, *, gone: bool) -> None:
    body = resource_body()
    if not gone:
        body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        bench.add(body)
    await bench.once()
    assert bench.cluster.calls == []


async def test_children_of_a_resource_that_left_unheard_are_not_made_anew(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    deliver, bench.cluster.listener = bench.cluster.listener, lambda _event, _body: None
    bench.cluster.take(QWEN, "qwen")
    bench.cluster.listener = deliver
    bench.cluster.take(DEPLOYMENT, "qwen")
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls == [("list", "QwenDeployment", "qwen")]
    await bench.once()
    assert bench.store.resource(Key("models", "qwen")) is None


async def test_a_child_that_somebody_deletes_is_made_anew_after_a_look_at_its_owner(
    bench: Bench,
) -> None:
    bench.add(resource_body())
    await bench.once()
    bench.cluster.take(DEPLOYMENT, "qwen")
    await bench.once()
    assert bench.cluster.one(DEPLOYMENT, "qwen")


async def test_a_status_for_a_resource_that_just_left_is_not_kept(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    edit(bench, replicas=2)
    bench.cluster.refusals["apply_status", "QwenDeployment"] = Gone("not there")
    with pytest.raises(Gone):
        await bench.once()
    bench.cluster.take(QWEN, "qwen")
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls == []


async def test_a_status_from_a_stale_view_never_reaches_a_successor(bench: Bench) -> None:
    bench.add(resource_body())
    bench.cluster.listener = lambda _event, _body: None
    bench.cluster.take(QWEN, "qwen")
    successor = resource_body()
    successor["metadata"]["uid"] = "successor"
    bench.cluster.put(successor)
    with pytest.raises(Gone):
        await bench.once()
    assert "status" not in bench.cluster.resource()


async def test_ready_follows_kubelet_and_the_heartbeat(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    pod = bench.add(pod_of(bench))
    bench.pods.readings["ip-of-qwen-aaa"] = Reading(up=True, heartbeat=1)
    await bench.once()
    status = bench.cluster.resource()["status"]
    assert conditions(bench)["Ready"]["status"] == "True"
    assert (status["replicas"], status["readyReplicas"], status["updatedReplicas"]) == (1, 1, 1)
    assert "failure" not in status
    bench.clock.now += PATIENCE + 1
    await bench.engines.read(pod)
    await bench.once()
    assert conditions(bench)["Ready"]["reason"] == "MetricsStale"
    assert bench.cluster.resource()["status"]["failure"]["pod"] == "qwen-aaa"
    assert [each["reason"] for each in bench.cluster.all(EVENT)] == ["Serving", "MetricsStale"]


async def test_pods_of_another_uid_do_not_count(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    pod = pod_of(bench)
    pod["metadata"]["labels"] = {**pod["metadata"]["labels"], naming.UID_LABEL: "predecessor"}
    bench.add(pod)
    await bench.once()
    assert bench.cluster.resource()["status"]["replicas"] == 0


WRITES = [("apply", "ConfigMap"), ("apply", "Service"), ("apply", "Deployment")]


@pytest.mark.parametrize("failing", WRITES, ids=str)
@pytest.mark.parametrize("problem", [Unreachable("x"), Refused("x"), Gone("x")], ids=repr)
async def test_a_failure_at_any_write_leaves_the_same_end_state(
    bench: Bench, failing: tuple[str, str], problem: OperatorError
) -> None:
    undisturbed = make_bench()
    for each in (undisturbed, bench):
        each.add(resource_body())
    await undisturbed.once()
    bench.cluster.refusals[failing] = problem
    with pytest.raises(OperatorError):
        await bench.once()
    bench.cluster.refusals.clear()
    await bench.once()

    def specs(of: Bench) -> list[object]:
        found = [
            child for kind in (CONFIG_MAP, SERVICE, DEPLOYMENT) for child in of.cluster.all(kind)
        ]
        return [{**each, "metadata": each["metadata"]["name"]} for each in found]

    assert specs(bench) == specs(undisturbed)


async def test_two_resources_whose_names_look_alike_share_nothing(bench: Bench) -> None:
    for name in ("a.b", "a-b"):
        body = resource_body(name)
        body["metadata"]["uid"] = f"uid-of-{name}"
        bench.add(body)
    await bench.once("a.b")
    await bench.once("a-b")
    assert len(bench.cluster.all(DEPLOYMENT)) == 2
    assert len(bench.cluster.all(SERVICE)) == 2


async def test_a_reason_that_comes_again_is_one_event_with_a_count(bench: Bench) -> None:
    for suspend in (True, False, True, False, True):
        bench.add(resource_body(suspend=suspend))
        await bench.once()
    (event,) = bench.cluster.all(EVENT)
    assert (event["reason"], event["count"]) == ("Suspended", 3)


def serving_pod(bench: Bench) -> Json:
    """A pod that kubelet calls ready, of the present template."""
    template = bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["template"]["metadata"]
    status = {
        "podIP": "10.1.0.1",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "triton", "restartCount": 0, "state": {"running": {}}}],
    }
    metadata = {**template, "name": "one", "namespace": "models"}
    return bench.cluster.put(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
    )


async def test_a_restarted_operator_unsays_nothing_before_an_engine_was_read(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    pod = serving_pod(bench)
    bench.pods.readings["10.1.0.1"] = Reading(up=True, heartbeat=1.0)
    await bench.once()
    assert bench.cluster.resource()["status"]["readyReplicas"] == 1
    again = make_bench()
    for kind in (QWEN, CONFIG_MAP, SERVICE, DEPLOYMENT, POD):
        for each in bench.cluster.all(kind):
            again.cluster.put(each)
    before = again.cluster.resource()["status"]
    await again.once()
    assert again.cluster.resource()["status"] == before
    again.clock.now += PATIENCE + 1
    assert await again.engines.read(pod)
    await again.once()
    assert again.cluster.resource()["status"]["readyReplicas"] == 0


async def test_what_passes_by_is_said_after_a_moment_and_what_comes_of_it_at_once(
    bench: Bench,
) -> None:
    bench.reconcile._settle_seconds = 1.0
    bench.add(resource_body())
    with pytest.raises(Postponed) as postponed:
        await bench.once()
    assert postponed.value.seconds == 1.0
    assert len(bench.cluster.all(DEPLOYMENT)) == 1, "only the saying waits"
    assert "status" not in bench.cluster.resource()
    bench.clock.now += 0.5
    pod = bench.add(pod_of(bench, ready=False))
    with pytest.raises(Postponed) as postponed:
        await bench.once()
    assert postponed.value.seconds == 0.5, "it waits once, not again for each change"
    bench.clock.now += 0.5
    await bench.once()
    assert conditions(bench)["Ready"]["reason"] == "ModelLoading"
    bench.add({**pod, "status": pod_of(bench)["status"]})
    bench.pods.readings["ip-of-qwen-aaa"] = Reading(up=True, heartbeat=1)
    await bench.once()
    assert conditions(bench)["Ready"]["status"] == "True"
    bench.cluster.take(POD, "qwen-aaa")
    await bench.once()
    told = [each["reason"] for each in bench.cluster.all(EVENT)]
    assert told == ["Serving", "NotEnoughReplicas"], "that it stopped being Ready is an event"
    assert conditions(bench)["Ready"]["reason"] == "NotEnoughReplicas", "it was Ready: no delay"


@pytest.mark.parametrize("where", ["labels", "annotations"])
async def test_metadata_that_changes_within_a_generation_is_restored(
    bench: Bench, where: str
) -> None:
    bench.add(resource_body())
    await bench.once()
    deployment = bench.cluster.one(DEPLOYMENT, "qwen")
    deployment["metadata"]["generation"] = 1
    bench.add(deployment)
    await bench.once()
    broken = copy.deepcopy(deployment)
    key = next(iter(broken["metadata"][where]))
    broken["metadata"][where][key] = "theirs"
    bench.add(broken)
    await bench.once()
    assert bench.cluster.one(DEPLOYMENT, "qwen")["metadata"][where] == deployment["metadata"][where]
