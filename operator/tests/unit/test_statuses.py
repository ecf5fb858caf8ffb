"""Statuses against a CustomResourceDefinition that is older than the operator."""

import logging
from datetime import datetime

import pytest

from qwen_operator.cluster.protocol import DEPLOYMENT, EVENT, QWEN
from qwen_operator.errors import Unreachable
from qwen_operator.facts import Progress
from qwen_operator.reconcile.statuses import RELEARN_SECONDS, Statuses, undeclared, without
from qwen_operator.triton.metrics import Reading
from tests.unit.conftest import Bench
from tests.unit.stand_ins import InMemoryCluster, Json, resource_body


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


def statuses_of(cluster: InMemoryCluster, clock: list[float]) -> Statuses:
    return Statuses(cluster, lambda: clock[0])


STATUS = {"replicas": 1, "startup": {"pod": "a", "readySeconds": 3}, "fit": {"gpus": {"free": 1}}}


def test_one_field_and_several_are_found_in_the_api_server_s_words() -> None:
    # The first as a kube-apiserver printed it, the second as its library joins several.
    one = (
        "apply QwenDeployment qwen-e2e/tiny/status: the API server answered 500: failed to create"
        " typed patch object (qwen-e2e/tiny; qwen-operator.dev/v1alpha1, Kind=QwenDeployment):"
        " .status.startup.readySeconds: field not declared in schema"
    )
    several = "errors:\n  .status.fit: field not declared in schema\n  .status.startup.pod: field"
    assert undeclared(one) == {("startup", "readySeconds")}
    assert undeclared(several + " not declared in schema") == {("fit",), ("startup", "pod")}
    assert undeclared(".spec.replicas: field not declared in schema") == frozenset()


def test_fields_are_left_out_wherever_they_are_and_nothing_else_changes() -> None:
    assert without(STATUS, [("fit",), ("startup", "readySeconds"), ("startup", "gone")]) == {
        "replicas": 1,
        "startup": {"pod": "a"},
    }
    assert without(STATUS, [("fit", "gpus", "free"), ("replicas", "none")])["fit"] == {"gpus": {}}
    assert without(STATUS, [("fit",), ("fit", "gpus")]) == without(STATUS, [("fit",)])
    assert STATUS["fit"] == {"gpus": {"free": 1}}


async def test_what_the_definition_lacks_is_left_out_named_once_and_tried_again_later(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    cluster = InMemoryCluster()
    cluster.undeclared = {"fit", "startup.readySeconds"}
    body = cluster.put(resource_body())
    statuses = statuses_of(cluster, clock)
    with caplog.at_level(logging.WARNING):
        body = await statuses.write(body, STATUS)
    assert body["status"] == {"replicas": 1, "startup": {"pod": "a"}}
    (told,) = caplog.messages
    assert ".status.fit, .status.startup.readySeconds" in told
    assert "upgrading the chart" in told
    cluster.calls.clear()
    assert await statuses.write(body, STATUS) == body
    assert cluster.calls == [], "nothing is new that could be written"
    clock[0] += RELEARN_SECONDS + 1
    cluster.undeclared = set()
    assert (await statuses.write(body, STATUS))["status"] == STATUS
    assert caplog.messages == [told]


async def test_any_other_refusal_stays_one(clock: list[float]) -> None:
    cluster = InMemoryCluster()
    body = cluster.put(resource_body())
    for words in ("500: etcd is full", "500: .status.other: field not declared in schema"):
        cluster.refusals["apply_status", "QwenDeployment"] = Unreachable(words)
        with pytest.raises(Unreachable, match=words[5:]):
            await statuses_of(cluster, clock).write(body, STATUS)
    assert [verb for verb, _, _ in cluster.calls] == ["apply_status"] * 2


async def test_a_pass_reports_all_that_an_older_definition_has_and_the_next_calls_nothing(
    bench: Bench,
) -> None:
    bench.cluster.undeclared = {"renderedBy", "endpoints.http"}
    bench.add(resource_body())
    await bench.once()
    status = bench.cluster.one(QWEN, "qwen")["status"]
    assert "renderedBy" not in status
    assert set(status["endpoints"]) == {"grpc", "metrics"}
    assert status["conditions"]
    assert bench.cluster.all(EVENT) == []
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls == []


def started_pod(bench: Bench) -> Json:
    """A pod of the present Deployment that was ready after 50 s."""
    template = bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["template"]
    running = {"running": {"startedAt": "2026-01-01T00:00:10Z"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **template["metadata"],
            "name": "qwen-a",
            "namespace": "models",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": template["spec"],
        "status": {
            "podIP": "ip",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": f"2026-01-01T00:00:{at}Z"}
                for kind, at in (("PodScheduled", "05"), ("Ready", "50"))
            ],
            "containerStatuses": [{"name": "triton", "restartCount": 0, "state": running}],
        },
    }


async def test_a_restarted_operator_asks_again_for_what_a_newer_definition_lets_in(
    bench: Bench,
) -> None:
    at = datetime.fromisoformat("2026-01-01T00:00:40Z").timestamp()
    bench.pods.readings["ip"] = Reading(up=True, heartbeat=1.0)
    bench.pods.progresses["ip"] = Progress("serving", {"opening": at})
    bench.cluster.undeclared = {"startup.readySeconds"}
    bench.add(resource_body())
    await bench.once()
    bench.add(started_pod(bench))
    await bench.once()
    took = {"pod": "qwen-a", "scheduledSeconds": 5, "pulledSeconds": 5, "loadedSeconds": 30}
    assert bench.cluster.resource()["status"]["startup"] == took
    # Both are newer now, and the operator knows nothing of before.
    bench.cluster.undeclared = set()
    bench.clock.now += RELEARN_SECONDS + 1
    bench.engines.forget_all_but([])
    await bench.once()
    assert bench.cluster.resource()["status"]["startup"] == {**took, "readySeconds": 10}
