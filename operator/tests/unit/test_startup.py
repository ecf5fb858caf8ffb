"""How long a start took, and what is said while one goes on."""

from typing import Any

import pytest

from qwen_operator.facts import Engine, Outside, PodFacts, Times, read_pod
from qwen_operator.status.pods import trouble
from qwen_operator.status.startup import startup


def pod(name: str = "a", ready: str | None = "2026-01-01T00:02:00Z") -> PodFacts:
    times = Times(
        created="2026-01-01T00:00:00Z",
        scheduled="2026-01-01T00:00:05Z",
        started="2026-01-01T00:00:45Z",
        ready=ready,
    )
    return PodFacts(name, name, "h", ready=ready is not None, engine=Engine.UP, times=times)


TOOK = {"pod": "a", "scheduledSeconds": 5, "pulledSeconds": 40, "loadedSeconds": 75}


def test_the_phases_sum_to_the_time_from_created_to_ready() -> None:
    assert startup([pod()], None) == TOOK
    assert sum(value for value in TOOK.values() if isinstance(value, int)) == 120


def test_the_pod_that_became_ready_last_counts() -> None:
    later = pod("b", "2026-01-01T00:03:00Z")
    assert (startup([later, pod()], None) or {})["pod"] == "b"


def test_a_pod_that_is_not_ready_leaves_what_was_known() -> None:
    assert startup([pod(ready=None)], None) is None
    assert startup([pod(ready=None)], TOOK) == TOOK


def test_readiness_that_was_lost_and_found_again_is_no_start() -> None:
    assert startup([pod(ready="2026-01-05T00:00:00Z")], TOOK) == TOOK


def body(state: dict[str, Any], *, scheduled: bool = True) -> dict[str, Any]:
    found = {"type": "PodScheduled", "status": str(scheduled), "lastTransitionTime": "T1"}
    return {
        "metadata": {"name": "p", "uid": "u", "creationTimestamp": "T0"},
        "spec": {"nodeName": "n"} if scheduled else {},
        "status": {
            "conditions": [found] if scheduled else [],
            "containerStatuses": [{"name": "triton", "state": state}],
        },
    }


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (body({}, scheduled=False), "waits for a node since T0"),
        (
            body({"waiting": {"reason": "ContainerCreating"}}),
            "pulls its image and mounts its volumes since T1 (ContainerCreating)",
        ),
        (body({"running": {"startedAt": "T2"}}), "loads the model since T2"),
    ],
)
def test_a_start_that_goes_on_is_told_with_its_phase_and_since_when(
    seen: dict[str, Any], words: str
) -> None:
    found = trouble(read_pod(seen, Outside()))
    assert found is not None
    assert found.reason.name == "ModelLoading"
    assert words in found.message


def test_clocks_that_differ_make_no_phase_negative() -> None:
    times = Times(
        created="2026-01-01T00:00:10Z",
        scheduled="2026-01-01T00:00:08Z",
        started="2026-01-01T00:03:00Z",
        ready="2026-01-01T00:02:00Z",
    )
    found = startup([PodFacts("a", "a", "h", ready=True, times=times)], None)
    assert found == {"pod": "a", "scheduledSeconds": 0, "pulledSeconds": 110, "loadedSeconds": 0}
