"""An API server with one model that is not ready yet, for every command that asks a cluster."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_operator import naming
from tests.unit.qwenctl.api import Api, Json, kubeconfig, serving
from tests.unit.stand_ins import UID, resource_body

QWENS = "/apis/qwen-operator.dev/v1alpha1/namespaces/models/qwendeployments"
PODS = "/api/v1/namespaces/models/pods"
EVENTS = "/api/v1/namespaces/models/events"


@pytest.fixture(autouse=True, scope="session")
def children_heed_ctrl_c() -> Iterator[None]:
    """Whoever runs the tests in the background ignores SIGINT, and children would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def condition(kind: str, status: str, reason: str, message: str = "some words") -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }


def failing() -> Json:
    body = resource_body()
    body["status"] = {
        "readyReplicas": 0,
        "updatedReplicas": 1,
        "selector": f"{naming.INSTANCE_LABEL}=qwen,{naming.UID_LABEL}={UID}",
        "image": "nvcr.io/nvidia/tritonserver:26.08-vllm-python-py3",
        "conditions": [
            condition("Accepted", "True", "Accepted"),
            condition("Ready", "False", "KVCacheTooSmall", "pod qwen-1: too small"),
        ],
        "failure": {
            "reason": "KVCacheTooSmall",
            "pod": "qwen-1",
            "message": "what is left holds no request",
            "logLine": "ValueError: 23648 tokens",
            "suggestion": "set spec.engine.maxModelLen to 23648",
        },
        "endpoints": {"http": "http://qwen.models:8000/v2/models/qwen/generate"},
    }
    return body


def serving_body() -> Json:
    body = failing()
    body["status"] |= {
        "readyReplicas": 1,
        "conditions": [condition("Ready", "True", "Serving", "1 of 1 pods answer")],
        "startup": {
            "pod": "qwen-1",
            "scheduledSeconds": 1,
            "pulledSeconds": 20,
            "loadedSeconds": 33,
        },
    }
    del body["status"]["failure"]
    return body


def pod(name: str = "qwen-1", **status: object) -> Json:
    return {
        "metadata": {
            "name": name,
            "namespace": "models",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-01-02T03:00:00Z",
        },
        "spec": {"nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.9",
            "containerStatuses": [{"name": "triton", "restartCount": 3, "state": {}}],
            **status,
        },
    }


def event(about: Json, reason: str, message: str, when: str) -> Json:
    return {
        "metadata": {"name": reason.lower(), "namespace": "models"},
        "involvedObject": about,
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": 2,
        "lastTimestamp": when,
    }


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with serving() as made:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, made.url)))
        hold(made, failing(), [pod()])
        yield made


def hold(api: Api, resource: Json, pods: list[Json]) -> None:
    api.holds(f"{QWENS}/qwen", resource)
    api.holds(QWENS, {"items": [resource]})
    api.holds("/apis/qwen-operator.dev/v1alpha1/qwendeployments", {"items": [resource]})
    api.holds(PODS, {"items": pods})
    api.holds(EVENTS, {"items": []})
