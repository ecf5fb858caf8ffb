"""How long a start took, and what is said while one goes on."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.facts import Engine, Outside, PodFacts, Progress, Times, read_pod
from qwen_operator.status.pods import trouble
from qwen_operator.status.startup import download, startup


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


def test_what_an_older_definition_did_not_let_in_is_added_once_it_can_be() -> None:
    made = startup([replace(pod(), progress=Progress("serving", PHASES))], None)
    assert made is not None
    kept = {key: value for key, value in made.items() if key != "readySeconds"}
    told = replace(pod(), progress=Progress("serving", PHASES))
    assert startup([told], kept) == made
    other = {**kept, "loadedSeconds": 41}
    assert startup([told], other) == other, "it was told of another way of counting"


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


PHASES = {
    "starting": moment("2026-01-01T00:00:46Z"),
    "importing": moment("2026-01-01T00:00:47Z"),
    "downloading": moment("2026-01-01T00:01:00.7Z"),
    "loading": moment("2026-01-01T00:01:30.2Z"),
    "opening": moment("2026-01-01T00:01:55.9Z"),
}


def test_what_the_backend_tells_of_its_start_is_told_apart() -> None:
    told = replace(pod(), progress=Progress("serving", PHASES))
    found = startup([told], None)
    assert found == {
        "pod": "a",
        "scheduledSeconds": 5,
        "pulledSeconds": 40,
        "downloadedSeconds": 30,
        "loadedSeconds": 40,
        "readySeconds": 5,
    }
    assert sum(value for value in found.values() if isinstance(value, int)) == 120


def test_a_start_without_a_download_tells_of_none() -> None:
    phases = {name: when for name, when in PHASES.items() if name != "downloading"}
    found = startup([replace(pod(), progress=Progress("serving", phases))], None)
    assert found is not None
    assert (found["loadedSeconds"], found["readySeconds"]) == (70, 5)
    assert "downloadedSeconds" not in found


@given(
    st.dictionaries(
        st.sampled_from(["downloading", "loading", "opening", "serving"]), st.floats(0, 2**33)
    )
)
def test_whatever_a_backend_tells_the_phases_sum_to_the_time_from_created_to_ready(
    phases: dict[str, float],
) -> None:
    told = replace(pod(), progress=Progress("serving", phases))
    found = startup([told], None) or {}
    seconds = [value for name, value in found.items() if name != "pod"]
    assert sum(seconds) == 120
    assert min(seconds) >= 0


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("importing", "imports vLLM since 2026-01-01T00:00:47Z"),
        ("downloading", "downloads the weights since 2026-01-01T00:01:00Z"),
        ("loading", "loads the weights into the engine since 2026-01-01T00:01:30Z"),
        ("opening", "opens its ports since"),
        ("of-a-later-backend", "loads the model since 2026-01-01T00:00:45Z"),
    ],
)
def test_a_model_that_loads_is_told_with_its_phase(phase: str, words: str) -> None:
    told = replace(pod(ready=None), running=True, progress=Progress(phase, PHASES))
    found = trouble(replace(told, engine=Engine.UNKNOWN))
    assert found is not None
    assert (found.reason.name, words in found.message) == ("ModelLoading", True), found.message


GIB = 2**30


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ((0, 16 * GIB), {"bytes": 0, "totalBytes": 16 * GIB}),
        ((GIB, 10 * GIB), {"bytes": GIB, "totalBytes": 10 * GIB}),
        ((GIB + GIB // 3, 10 * GIB), {"bytes": GIB, "totalBytes": 10 * GIB}),
        # The cache also holds the tokenizer: it may be more than the index says.
        ((11 * GIB, 10 * GIB), {"bytes": 10 * GIB, "totalBytes": 10 * GIB}),
        ((5 * GIB + 17, None), {"bytes": 5 * GIB}),
    ],
)
def test_a_download_is_told_in_twentieths_or_in_gib(
    told: tuple[int, int | None], found: dict[str, int]
) -> None:
    loads = replace(pod("b", None), progress=Progress("downloading", {}, told))
    assert download([pod(), loads]) == {"pod": "b", **found}


def test_of_several_downloads_the_first_by_name_is_told() -> None:
    pods = [
        replace(pod(name, None), progress=Progress("downloading", {}, (done * GIB, None)))
        for name, done in (("c", 1), ("b", 2), ("d", 3))
    ]
    assert download(pods) == {"pod": "b", "bytes": 2 * GIB}


def test_what_downloads_no_more_is_told_of_no_download() -> None:
    progress = Progress("loading", {})
    assert download([pod(), replace(pod("b", None), progress=progress)]) is None


def test_a_download_stands_in_the_status_and_never_costs_more_than_twenty_writes() -> None:
    total = 16_000_000_000
    moments = {
        Progress("downloading", {}, (done, total)).milestone for done in range(0, total, 10**7)
    }
    assert len(moments) == 20


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
