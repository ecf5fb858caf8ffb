"""What kubelet and the scheduler say of pods, on the real API server: told, and not acted upon."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api import PODS, QWENS, Api, Json, eventually
from tests.integration.operating import operating
from tests.integration.pods import played, pod_of
from tests.integration.proxy import Faults, proxied

CONTAINER = {"name": "triton", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def scheduled(status: str = "True", **more: str) -> Json:
    return {"type": "PodScheduled", "status": status, **more}


def state(state: Json, restarts: int = 0, **more: Any) -> Json:
    """A pod on a node whose container is in that state."""
    container = {**CONTAINER, "state": state, "restartCount": restarts, **more}
    status = {"phase": "Pending", "conditions": [scheduled()], "containerStatuses": [container]}
    return status | ({"phase": "Running"} if "running" in state or restarts else {})


def waiting(reason: str, message: str) -> Json:
    return state({"waiting": {"reason": reason, "message": message}})


def ended(code: int, reason: str, message: str = "") -> Json:
    """A container that ended, and will be started again."""
    end = {"exitCode": code, "reason": reason, "message": message}
    back_off = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    return state(back_off, 1, lastState={"terminated": end})


@dataclass(frozen=True)
class Case:
    """What is said of a pod, and what is to be told of it."""

    status: Json
    reason: str
    words: tuple[str, ...] = ()
    spec: Json = field(default_factory=dict)


GPUS = {"resources": {"gpus": 1}}
CASES = {
    "no-gpu": Case(
        {
            "phase": "Pending",
            "conditions": [
                scheduled(
                    "False",
                    reason="Unschedulable",
                    message="0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                )
            ],
        },
        "WaitingForGPU",
        ("3 Insufficient nvidia.com/gpu",),
        GPUS,
    ),
    "taint": Case(
        {
            "phase": "Pending",
            "conditions": [
                scheduled(
                    "False",
                    reason="Unschedulable",
                    message="0/3 nodes are available: 3 node(s) had untolerated taint {team: a}.",
                )
            ],
        },
        "Unschedulable",
        ("untolerated taint {team: a}", "spec.scheduling.tolerations"),
    ),
    "claim": Case(
        {
            "phase": "Pending",
            "conditions": [
                scheduled(
                    "False",
                    reason="Unschedulable",
                    message='0/3 nodes are available: persistentvolumeclaim "weights" not found.',
                )
            ],
        },
        "Unschedulable",
        ('persistentvolumeclaim "weights" not found',),
    ),
    "pull": Case(
        waiting("ImagePullBackOff", 'Back-off pulling image "nvcr.io/x": not found'),
        "ImagePullFailed",
        ("not found",),
    ),
    "wrong-processor": Case(
        ended(255, "Error", "exec /bin/tritonserver: exec format error"),
        "ContainerStartFailed",
        ("exec format error",),
    ),
    "killed-for-memory": Case(
        ended(137, "OOMKilled"), "OutOfMemory", ("memory limit", "spec.resources.memory")
    ),
    "cuda-memory": Case(
        ended(1, "Error", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"),
        "CudaOutOfMemory",
        ("CUDA out of memory",),
    ),
    "no-weights": Case(
        ended(
            1, "Error", '{"reason": "ModelNotFound", "message": "no config.json", "logLine": ""}'
        ),
        "ModelNotFound",
        ("no config.json",),
    ),
    "truncated": Case(
        ended(1, "Error", "safetensors_rust.SafetensorError: incomplete metadata, file not fully"),
        "ModelCorrupt",
        ("incomplete metadata",),
    ),
    "hub": Case(
        ended(1, "Error", "huggingface_hub.errors.HfHubHTTPError: 429 Client Error: Too Many"),
        "ModelDownloadFailed",
        ("429",),
    ),
    "no-door": Case(
        ended(
            1,
            "Error",
            '{"reason": "OpenAIEndpointFailed", "message": "the OpenAI endpoint cannot be opened:'
            ' no-such-parser", "logLine": ""}',
        ),
        "OpenAIEndpointFailed",
        ("no-such-parser", "spec.chat.apiKeySecretRef"),
    ),
    "evicted": Case(
        {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "The node was low on resource: ephemeral-storage.",
            "conditions": [scheduled()],
        },
        "Evicted",
        ("low on resource: ephemeral-storage",),
    ),
}


@pytest.fixture(scope="module")
def operator(
    api: Api, kubeconfig: Path, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faults]:
    """What an operator asks for that all cases share."""
    folder = tmp_path_factory.mktemp("operator")
    with (
        proxied(api, kubeconfig, folder) as (config, faults),
        operating(config, namespace, folder),
    ):
        yield faults


def say(api: Api, namespace: str, pod: Json, status: Json) -> None:
    api.merge(PODS, namespace, f"{pod['metadata']['name']}/status", {"status": status})


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_a_pod_is_told_with_what_to_do_and_passes_when_it_does(
    api: Api, namespace: str, operator: Faults, name: str
) -> None:
    case = CASES[name]
    api.create(QWENS, namespace, played(name, **case.spec))
    pod, told = pod_of(api, namespace, name), partial(api.condition, namespace, name)
    say(api, namespace, pod, case.status)
    eventually(case.reason, lambda: told().get("reason") == case.reason, seen=told)
    assert all(words in told()["message"] for words in (*case.words, "What to do: ")), told()
    if case.reason != "Evicted":
        # Its Deployment makes another pod of an evicted one; every other recovers itself.
        say(api, namespace, pod, state(RUNNING))
        eventually("it loads", lambda: told().get("reason") == "ModelLoading", seen=told)
    written = [each for each in operator.writes() if f"/{name}" in each.path]
    kinds = {each.path.split(name)[0].rsplit("/", 2)[1] for each in written}
    assert kinds <= {"configmaps", "services", "deployments", "qwendeployments", "events"}
    assert not [each for each in written if each.method == "DELETE"]
    assert len([each for each in written if "/deployments/" in each.path]) == 1
