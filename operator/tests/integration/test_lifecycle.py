"""One resource from creation to deletion, with the operator running."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.contract import Source
from monitoring.pages import complaints
from tests.integration.api import (
    CHILDREN,
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    PODS,
    QWENS,
    SERVICES,
    Api,
    Json,
    constantly,
    eventually,
    resource,
)
from tests.integration.pods import make_ready, played, pod_of
from tests.integration.process import OperatorProcess

pytestmark = pytest.mark.usefixtures("operator")

POD_ADDRESS = "127.0.0.2"
METRICS_PORT = 8002


def reason(api: Api, namespace: str, name: str, word: str) -> bool:
    return bool(api.condition(namespace, name).get("reason") == word)


def made(api: Api, namespace: str, name: str, **spec: object) -> Json:
    """Create a resource and wait for its children and its first status."""
    body = api.create(QWENS, namespace, resource(name, **spec))
    eventually("three children", lambda: len(api.children(namespace, name)) == 3)
    eventually("a status", lambda: api.condition(namespace, name))
    return body


def versions(api: Api, namespace: str, name: str) -> dict[str, str]:
    """What moves when a child is written; a Deployment's status is its controller's, not ours."""
    return {
        child: str(body["metadata"].get("generation") or body["metadata"]["resourceVersion"])
        for child, body in api.children(namespace, name).items()
    }


def test_children_and_status_follow_a_new_resource(api: Api, namespace: str) -> None:
    body = made(api, namespace, "first")
    for child in api.children(namespace, "first").values():
        (owner,) = child["metadata"]["ownerReferences"]
        assert owner["uid"] == body["metadata"]["uid"]
        assert owner["controller"] is True
    eventually("pods counted", lambda: reason(api, namespace, "first", "Unschedulable"))
    found = api.one(QWENS, namespace, "first")
    assert found is not None
    assert found["status"]["observedGeneration"] == 1
    assert api.condition(namespace, "first", "Accepted")["status"] == "True"
    assert "finalizers" not in found["metadata"]
    assert not any(key.startswith("kopf") for key in found["metadata"].get("annotations", {}))
    scale = api.one(QWENS, namespace, "first/scale")
    assert scale is not None
    assert "app.kubernetes.io/instance=first" in scale["status"]["selector"]


@pytest.fixture(autouse=True)
def no_scheduler(api: Api, namespace: str, request: pytest.FixtureRequest) -> Iterator[None]:
    """Say what a scheduler would say, where the cluster has none."""
    stop = threading.Event()
    words = {"first": "0/1 nodes are available: 1 node(s) didn't match Pod's node selector."}

    def speak() -> None:
        while not stop.wait(0.2):
            for pod in api.all(PODS, namespace):
                instance = pod["metadata"]["labels"]["app.kubernetes.io/instance"]
                bare = not pod["spec"].get("nodeName") and not pod["status"].get("conditions")
                if bare and instance in words:
                    mark_unschedulable(api, namespace, pod, words[instance])

    thread = threading.Thread(target=speak)
    if request.function is test_children_and_status_follow_a_new_resource:
        thread.start()
    yield
    stop.set()
    if thread.ident:
        thread.join()


def mark_unschedulable(api: Api, namespace: str, pod: Json, words: str) -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": words,
    }
    status = {"status": {"phase": "Pending", "conditions": [condition]}}
    api.merge(PODS, namespace, f"{pod['metadata']['name']}/status", status)


def test_a_pod_without_a_gpu_is_said_in_the_schedulers_words(api: Api, namespace: str) -> None:
    spec = {"resources": {"gpus": 64}, "engine": {"tensorParallelSize": 64}, "scheduling": {}}
    api.create(QWENS, namespace, played("gpus", **spec))
    words = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    mark_unschedulable(api, namespace, pod_of(api, namespace, "gpus"), words)
    eventually("the reason", lambda: reason(api, namespace, "gpus", "WaitingForGPU"))
    body = api.one(QWENS, namespace, "gpus")
    assert body is not None
    assert "Insufficient nvidia.com/gpu" in body["status"]["failure"]["message"]

    def told() -> bool:
        return any(
            each["reason"] == "WaitingForGPU" and each["involvedObject"]["name"] == "gpus"
            for each in api.all(EVENTS, namespace, "")
        )

    eventually("an event tells of it", told)


class Heart:
    """What :8002 of a pod says; `beats` false lets the heartbeat stand still."""

    def __init__(self) -> None:
        self.beats = True
        self.count = 0

    def page(self) -> str:
        self.count += self.beats
        return f"qwen_engine_up 1\nqwen_engine_heartbeat_timestamp_seconds {self.count}\n"


@pytest.fixture
def heart() -> Iterator[Heart]:
    """A pod's :8002, on an address of loopback that nobody else uses."""
    found = Heart()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(found.page().encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer((POD_ADDRESS, METRICS_PORT), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_ready_needs_kubelets_word_and_a_beating_heart(
    api: Api, namespace: str, heart: Heart
) -> None:
    api.create(QWENS, namespace, played("beating"))
    make_ready(api, namespace, "beating", POD_ADDRESS)
    eventually("Serving", lambda: reason(api, namespace, "beating", "Serving"))
    body = api.one(QWENS, namespace, "beating")
    assert body is not None
    assert (body["status"]["readyReplicas"], body["status"]["updatedReplicas"]) == (1, 1)
    heart.beats = False
    eventually("stale", lambda: reason(api, namespace, "beating", "MetricsStale"))
    heart.beats = True
    eventually("Serving again", lambda: reason(api, namespace, "beating", "Serving"))


def reasons(api: Api, namespace: str, name: str) -> set[str]:
    """Those of all events about a resource."""
    events = api.all(EVENTS, namespace, "")
    return {each["reason"] for each in events if each["involvedObject"]["name"] == name}


def test_what_somebody_edits_or_deletes_is_restored(api: Api, namespace: str) -> None:
    made(api, namespace, "drift")
    service = api.one(SERVICES, namespace, "drift")
    assert service is not None
    ports = [{**each, "port": each["port"] + 1000} for each in service["spec"]["ports"]]
    api.merge(SERVICES, namespace, "drift", {"spec": {"ports": ports}})

    def restored() -> bool:
        now = api.one(SERVICES, namespace, "drift")
        return now is not None and now["spec"]["ports"] == service["spec"]["ports"]

    eventually("the ports are restored", restored)
    api.merge(DEPLOYMENTS, namespace, "drift", {"spec": {"replicas": 7}})

    def one_replica() -> bool:
        now = api.one(DEPLOYMENTS, namespace, "drift")
        return now is not None and now["spec"]["replicas"] == 1

    eventually("the replicas are restored", one_replica)
    eventually("an event tells of it", lambda: "DriftCorrected" in reasons(api, namespace, "drift"))
    for place, child in api.children(namespace, "drift").items():
        folder = next(each for each in CHILDREN if each.endswith(place.split("/")[0]))
        api.delete(folder, namespace, child["metadata"]["name"])

        def back(place: str = place, uid: str = child["metadata"]["uid"]) -> bool:
            now = api.children(namespace, "drift").get(place)
            return now is not None and now["metadata"]["uid"] != uid

        eventually(f"{place} is made again", back)


def test_what_others_add_is_left_alone(api: Api, namespace: str, operator: OperatorProcess) -> None:
    made(api, namespace, "shared")
    change = {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "theirs"}}}
    api.merge(SERVICES, namespace, "shared", change)

    def version() -> str:
        return str((api.one(SERVICES, namespace, "shared") or {})["metadata"]["resourceVersion"])

    constantly("the service", version, 2)
    service = api.one(SERVICES, namespace, "shared")
    assert service is not None
    assert service["metadata"]["labels"]["team"] == "a"
    assert "shared: Service shared differs" not in operator.log


def test_a_changed_setting_gives_new_files_and_old_ones_go_with_their_pods(
    api: Api, namespace: str
) -> None:
    made(api, namespace, "edited")
    (old,) = [each for each in api.children(namespace, "edited") if each.startswith("configmaps")]
    eventually("a pod of the first", lambda: pod_of(api, namespace, "edited"))
    before = (api.one(QWENS, namespace, "edited") or {})["status"]["configHash"]
    api.merge(QWENS, namespace, "edited", {"spec": {"engine": {"maxModelLen": 512}}})

    def new_hash() -> bool:
        status = (api.one(QWENS, namespace, "edited") or {})["status"]
        return bool(status["observedGeneration"] == 2 and status["configHash"] != before)

    eventually("a new hash", new_hash)

    def only_new_files() -> bool:
        children = api.children(namespace, "edited")
        files = [each for each in children if each.startswith("configmaps")]
        return len(files) == 1 and files != [old]

    eventually("only the new files are left", only_new_files)
    deployment = api.one(DEPLOYMENTS, namespace, "edited")
    assert deployment is not None
    (volume,) = [
        each
        for each in deployment["spec"]["template"]["spec"]["volumes"]
        if each["name"] == "repository"
    ]
    data: Json = {}
    for source in volume["projected"]["sources"]:
        files = api.one(CONFIG_MAPS, namespace, source["configMap"]["name"])
        assert files is not None
        data |= files["data"]
    assert json.loads(data["model.json"])["max_model_len"] == 512
    assert "qwen_triton.engine.py" in data


def backends(api: Api, namespace: str) -> list[str]:
    names = [each["metadata"]["name"] for each in api.all(CONFIG_MAPS, namespace)]
    return [name for name in names if name.startswith("qwen-backend.")]


def test_what_resources_share_comes_back_and_goes_with_the_last_of_them(
    api: Api, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    alone = f"{namespace}-shared"
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": alone}})
    operator = OperatorProcess(kubeconfig, alone, tmp_path).wait_until_ready()
    try:
        for name in ("one", "two"):
            made(api, alone, name)
        (name,) = backends(api, alone)
        api.delete(CONFIG_MAPS, alone, name)
        eventually("it is made again", lambda: backends(api, alone) == [name])
        api.delete(QWENS, alone, "one")
        eventually("its children are gone", lambda: not api.children(alone, "one"))
        constantly("what the other reads", lambda: backends(api, alone), 2)
        assert backends(api, alone) == [name]
        assert operator.stop() == 0
        api.delete(QWENS, alone, "two")
        eventually("its children are gone", lambda: not api.children(alone, "two"))
        assert backends(api, alone) == [name], "it is nobody's child"
        operator = OperatorProcess(kubeconfig, alone, tmp_path).wait_until_ready()
        eventually("nothing is left", lambda: not backends(api, alone), 90)
    finally:
        operator.end()
        api.call("DELETE", f"/api/v1/namespaces/{alone}")


def test_a_foreign_service_is_left_alone_and_said(api: Api, namespace: str) -> None:
    ports = [{"name": "theirs", "port": 1234}]
    theirs = {"metadata": {"name": "taken"}, "spec": {"ports": ports, "selector": {"a": "b"}}}
    before = api.create(SERVICES, namespace, theirs)
    api.create(QWENS, namespace, resource("taken"))
    eventually("the reason", lambda: reason(api, namespace, "taken", "NameTaken"))
    assert "Service taken" in api.condition(namespace, "taken")["message"]
    assert api.one(SERVICES, namespace, "taken") == before
    assert api.one(DEPLOYMENTS, namespace, "taken") is None
    api.delete(SERVICES, namespace, "taken")
    eventually("all is made", lambda: len(api.children(namespace, "taken")) == 3)
    eventually("the reason passed", lambda: not reason(api, namespace, "taken", "NameTaken"))


def test_amounts_and_twins_as_a_server_writes_them_are_no_drift(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    tolerations = [
        {"key": "gpu", "operator": "Exists", "effect": effect}
        for effect in ("NoSchedule", "NoExecute")
    ]
    made(
        api,
        namespace,
        "amounts",
        resources={"gpus": 0, "cpu": "0.5", "memory": "4096Mi"},
        triton={"sharedMemorySize": "1.5Gi"},
        scheduling={"nodeSelector": {"no": "such"}, "tolerations": tolerations},
    )
    applied = operator.log.count("amounts: ")
    for number in range(3):
        note = {"metadata": {"annotations": {"note": str(number)}}}
        api.merge(QWENS, namespace, "amounts", note)
    constantly("its children", lambda: versions(api, namespace, "amounts"), 3)
    assert "amounts: Deployment amounts differs" not in operator.log[applied:]


def test_a_removed_setting_is_removed_from_the_children(api: Api, namespace: str) -> None:
    made(api, namespace, "removed", resources={"gpus": 0, "memory": "4Gi"})

    def limits() -> Json:
        deployment = api.one(DEPLOYMENTS, namespace, "removed")
        assert deployment is not None
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        found: Json = container["resources"]
        return found

    assert limits()["limits"] == {"memory": "4Gi"}
    api.merge(QWENS, namespace, "removed", {"spec": {"resources": {"memory": None}}})
    eventually("no limit", lambda: "limits" not in limits())


def test_the_resource_is_scaled_and_suspended(api: Api, namespace: str) -> None:
    made(api, namespace, "scaled")

    def replicas() -> int:
        deployment = api.one(DEPLOYMENTS, namespace, "scaled")
        assert deployment is not None
        return int(deployment["spec"]["replicas"])

    api.merge(QWENS, namespace, "scaled/scale", {"spec": {"replicas": 2}})
    eventually("two replicas", lambda: replicas() == 2)
    api.merge(QWENS, namespace, "scaled", {"spec": {"suspend": True}})
    eventually("none", lambda: replicas() == 0)
    eventually("the reason", lambda: reason(api, namespace, "scaled", "Suspended"))


def test_a_resource_made_anew_at_once_gets_children_of_its_own(api: Api, namespace: str) -> None:
    old = made(api, namespace, "again")["metadata"]["uid"]
    api.delete(QWENS, namespace, "again")
    new = api.create(QWENS, namespace, resource("again"))["metadata"]["uid"]

    def owners() -> list[str]:
        children = api.children(namespace, "again").values()
        return [each["metadata"]["ownerReferences"][0]["uid"] for each in children]

    eventually("three children of the new one", lambda: owners() == [new] * 3)
    assert old != new
    eventually("a status", lambda: api.condition(namespace, "again"))


@pytest.mark.parametrize("name", ["1.5-chat", "dots.and.more", "n" * 200])
def test_any_name_gives_children(api: Api, namespace: str, name: str) -> None:
    made(api, namespace, name)
    api.delete(QWENS, namespace, name)
    eventually("all children are gone", lambda: not api.children(namespace, name))


_NO_START_IS_TIMED = frozenset({"qwen_operator_resource_startup_seconds"})


def test_the_operators_words_say_what_it_did(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    made(api, namespace, "words")
    assert f"{namespace}/words: " in operator.log
    status, page = operator.page("metrics")
    assert status == 200
    passes = "qwen_operator_reconcile_duration_seconds_count"
    assert f'{passes}{{outcome="done"}} 0.0' not in page
    assert f'{passes}{{outcome="defect"}} 0.0' in page
    assert operator.page("healthz") == (200, "ok\n")
    assert complaints(page, Source.OPERATOR, absent=_NO_START_IS_TIMED) == []
