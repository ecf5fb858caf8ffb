"""Pods that do not start are asked about, others never; the last warning counts."""

from collections.abc import AsyncIterator
from typing import Any

from qwen_operator.cluster.protocol import Page
from qwen_operator.facts import Outside, read_pod
from qwen_operator.observe.warnings import Warnings, is_stuck, latest
from qwen_operator.status.pods import trouble
from qwen_operator.status.reasons import Reason

from .stand_ins import InMemoryCluster

WAITING = {"name": "triton", "state": {"waiting": {"reason": "ContainerCreating"}}}
SCHEDULED = [{"type": "PodScheduled", "status": "True"}]


def pod(**status: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"nodeName": "node"},
        "status": {"phase": "Pending", "conditions": SCHEDULED, **status},
    }


def warning(message: str, at: str, kind: str = "Warning") -> dict[str, Any]:
    return {"type": kind, "reason": "FailedMount", "message": message, "lastTimestamp": at}


class Asked(InMemoryCluster):
    def __init__(self) -> None:
        super().__init__()
        self.fields: list[str] = []
        self.events: list[dict[str, Any]] = []

    async def pages(
        self, kind: Any, namespace: str | None, selector: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        assert (kind.kind, namespace, selector) == ("Event", "n", "")
        self.fields.append(fields)
        yield Page(self.events, "1")


def test_a_pod_is_stuck_only_on_a_node_and_before_any_container_ran() -> None:
    assert is_stuck(pod(containerStatuses=[WAITING]))
    assert is_stuck(pod())
    assert not is_stuck(pod(phase="Running", containerStatuses=[WAITING]))
    running = {"name": "triton", "state": {"running": {}}}
    assert not is_stuck(pod(containerStatuses=[running]))
    unscheduled = pod()
    del unscheduled["spec"]["nodeName"]
    assert not is_stuck(unscheduled)
    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "now"
    assert not is_stuck(leaving)


def test_the_latest_warning_is_told_and_normal_events_are_not() -> None:
    early = warning("no such volume", "2026-01-01T00:00:01Z")
    late = warning("timed out", "2026-01-01T00:00:02Z")
    fine = warning("pulled", "2026-01-01T00:00:03Z", "Normal")
    assert latest([late, early, fine]) == "FailedMount: timed out"
    assert latest([fine]) is None


async def test_a_pod_is_asked_about_after_ten_seconds_and_then_every_twenty() -> None:
    now = [0.0]
    warnings, cluster = Warnings(lambda: now[0]), Asked()
    stuck = pod()
    assert warnings.due([stuck]) == []
    now[0] = 10.0
    assert warnings.due([stuck]) == [stuck]
    cluster.events = [warning("no such volume", "2026-01-01T00:00:01Z")]
    assert await warnings.ask(cluster, stuck)
    assert cluster.fields == ["involvedObject.uid=u"]
    assert warnings.of("u") == "FailedMount: no such volume"
    now[0] = 29.0
    assert warnings.due([stuck]) == []
    now[0] = 30.0
    assert warnings.due([stuck]) == [stuck]
    assert not await warnings.ask(cluster, stuck), "the same words are no news"
    warnings.due([])
    assert warnings.of("u") is None, "a pod that started is forgotten"


def test_the_status_says_why_a_pod_does_not_start() -> None:
    found = trouble(read_pod(pod(containerStatuses=[WAITING]), Outside(warning="FailedMount: x")))
    assert found is not None
    assert found.reason is Reason.PodStartFailed
    assert "FailedMount: x" in found.message
