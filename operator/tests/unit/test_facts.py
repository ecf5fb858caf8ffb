"""What is read from a pod's own object."""

from typing import Any

import pytest

from qwen_operator.api.resource import read_resource
from qwen_operator.desired.children import desired
from qwen_operator.facts import Engine, Outside, read_facts, read_pod
from qwen_operator.settings import Settings
from qwen_operator.status.pods import trouble
from qwen_operator.status.reasons import Reason
from tests.unit.stand_ins import BACKEND

STARTED = "2026-01-01T00:01:00Z"


def pod(ready: str, turned: str) -> dict[str, Any]:
    running = {"name": "triton", "state": {"running": {"startedAt": STARTED}}}
    return {
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"nodeName": "node-7"},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": ready, "lastTransitionTime": turned},
            ],
            "containerStatuses": [running],
        },
    }


@pytest.mark.parametrize(
    ("ready", "turned", "lost"),
    [
        ("False", "2026-01-01T00:00:30Z", False),
        ("False", "2026-01-01T00:02:00Z", True),
        ("True", "2026-01-01T00:02:00Z", False),
    ],
)
def test_readiness_is_lost_only_after_the_running_container_had_it(
    ready: str, turned: str, *, lost: bool
) -> None:
    assert read_pod(pod(ready, turned), Outside()).lost is lost


def test_a_live_engine_that_kubernetes_stopped_calling_ready_names_its_node() -> None:
    found = trouble(read_pod(pod("False", "2026-01-01T00:02:00Z"), Outside(Engine.UP)))
    assert found is not None
    assert found.reason is Reason.ProbeFailing
    assert "node-7" in found.message


def test_an_engine_that_is_up_a_moment_before_kubelet_says_so_is_still_loading() -> None:
    found = trouble(read_pod(pod("False", "2026-01-01T00:00:30Z"), Outside(Engine.UP)))
    assert found is not None
    assert found.reason is Reason.ModelLoading


def test_an_evicted_pod_is_not_counted() -> None:
    evicted = pod("False", "2026-01-01T00:02:00Z")
    evicted["status"] = {"phase": "Failed", "reason": "Evicted"}
    assert read_facts(None, [evicted], {}).pods == ()


@pytest.mark.parametrize(
    "change",
    [{"triton": {"image": "r/other:2"}}, {"resources": {"memory": "9Gi"}}],
    ids=["image", "memory"],
)
def test_pods_of_another_image_or_size_are_outdated_though_their_model_files_are_equal(
    change: dict[str, Any],
) -> None:
    spec = {"model": {"source": "hf://a/b"}}
    before, after = (
        desired(
            read_resource(
                {"metadata": {"namespace": "n", "name": "q", "uid": "u"}, "spec": {**spec, **more}}
            ),
            Settings(),
            BACKEND,
        )
        for more in ({}, change)
    )
    assert before.config_hash == after.config_hash
    assert before.template_hash != after.template_hash


@pytest.mark.parametrize(
    ("code", "restarts", "reason"),
    [
        (0, 1, Reason.StubCrashed),
        (137, 1, Reason.StubCrashed),
        (0, 3, Reason.CrashLooping),
        (1, 1, Reason.ModelLoadFailed),
    ],
)
def test_one_end_is_no_loop(code: int, restarts: int, reason: Reason) -> None:
    ended = pod("False", "2026-01-01T00:00:30Z")
    (container,) = ended["status"]["containerStatuses"]
    container["lastState"] = {"terminated": {"exitCode": code, "reason": "Completed"}}
    container["restartCount"] = restarts
    found = trouble(read_pod(ended, Outside()))
    assert found is not None
    assert found.reason is reason
