"""Every QwenDeployment as series of the operator's own /metrics."""

from typing import Any

from prometheus_client import CollectorRegistry

from qwen_operator import naming
from qwen_operator.loops.fleet import Fleet
from qwen_operator.observe.store import Store
from qwen_operator.status.reasons import Reason
from tests.unit.stand_ins import NOW, resource_body

WHO = {"namespace": "models", "name": "qwen", "model": "qwen"}


def shown(*bodies: dict[str, Any]) -> CollectorRegistry:
    store = Store()
    for body in bodies:
        store.put(body)
    registry = CollectorRegistry()
    registry.register(Fleet(store))
    return registry


def body(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**resource_body(**spec), "status": status}


def ready(reason: str, status: str = "False") -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": NOW}
    return {"conditions": [condition]}


def deployment(replicas: int) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {
            "name": "qwen",
            "namespace": "models",
            "uid": "d",
            "resourceVersion": "2",
            "annotations": {naming.OWNER_ANNOTATION: "qwen"},
        },
        "spec": {"replicas": replicas},
    }


def test_a_resource_that_serves_is_shown_with_its_pods_gpus_and_start() -> None:
    status = {
        **ready("Serving", "True"),
        "image": "triton:1",
        "replicas": 2,
        "readyReplicas": 2,
        "startup": {"pod": "qwen-a", "scheduledSeconds": 1, "loadedSeconds": 40},
    }
    seen = shown(body(status, replicas=2, resources={"gpus": 4}), deployment(2))

    def value(name: str, **labels: str) -> float | None:
        return seen.get_sample_value(f"qwen_operator_resource_{name}", WHO | labels)

    source = "hf://Qwen/Qwen1.5-1.8B-Chat"
    assert value("info", source=source, image="triton:1") == 1
    assert value("ready") == 1
    assert value("ready_transition_timestamp_seconds") == 1767323045
    assert value("reason", reason="Serving", suggestion="Nothing.") == 1
    assert value("replicas_desired") == value("replicas_ready") == 2
    assert value("gpus") == 8
    assert value("startup_seconds", phase="loaded") == 40
    assert value("startup_seconds", phase="pod") is None


def test_a_failure_s_own_suggestion_wins_over_the_reason_s_and_is_bounded() -> None:
    status = {**ready("CudaOutOfMemory"), "failure": {"suggestion": "Lower it to 512." + "x" * 500}}
    (family,) = [
        each for each in shown(body(status)).collect() if each.name.endswith("resource_reason")
    ]
    (sample,) = family.samples
    assert sample.labels["suggestion"].startswith("Lower it to 512.")
    assert len(sample.labels["suggestion"]) == 300
    plain = shown(body(ready("CudaOutOfMemory")))
    remedy = Reason.CudaOutOfMemory.value.remedy[:300]
    labels = WHO | {"reason": "CudaOutOfMemory", "suggestion": remedy}
    assert plain.get_sample_value("qwen_operator_resource_reason", labels) == 1


def test_what_an_autoscaler_wants_is_what_is_desired_and_a_suspended_one_wants_none() -> None:
    name = "qwen_operator_resource_replicas_desired"
    assert shown(body({}, replicas=1), deployment(5)).get_sample_value(name, WHO) == 5
    assert shown(body({}, replicas=3, suspend=True)).get_sample_value(name, WHO) == 0
    assert shown(body({}, replicas=3)).get_sample_value(name, WHO) == 3


def test_a_resource_without_a_status_is_unknown_and_not_ready() -> None:
    seen = shown(resource_body())
    labels = WHO | {"reason": "Unknown", "suggestion": ""}
    assert seen.get_sample_value("qwen_operator_resource_reason", labels) == 1
    assert seen.get_sample_value("qwen_operator_resource_ready", WHO) == 0


def test_nothing_of_a_resource_that_is_gone_stays_behind() -> None:
    store = Store()
    store.put(resource_body())
    registry = CollectorRegistry()
    registry.register(Fleet(store))
    store.drop(resource_body())
    assert registry.get_sample_value("qwen_operator_resource_ready", WHO) is None
