"""Laws of the status for whatever pods there are: from the API's objects to the conditions."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qwen_operator import naming
from qwen_operator.api.schema import definition
from qwen_operator.facts import Engine, Outside, read_facts
from qwen_operator.status.document import conditions, counts, dated
from qwen_operator.status.events import event, turn
from qwen_operator.status.startup import startup
from qwen_operator.status.verdict import Seen, verdict
from tests.unit.stand_ins import resource_body

Json = dict[str, Any]
SCHEMA = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
MOMENTS = st.sampled_from([None, *(f"2026-01-01T00:0{n}:00Z" for n in range(6))])
WORDS = st.sampled_from(
    [
        "",
        "0/2 nodes are available: 1 Insufficient nvidia.com/gpu",
        'secret "a" not found',
        "CUDA out of memory",
        "the estimated maximum model length is 10",
        '{"reason": "CudaOutOfMemory", "message": "m", "suggestion": "s"}',
        '{"reason": "Unheard", "message": null}',
        "x" * 40_000,
    ]
)
STATES = st.one_of(
    st.just({}),
    st.builds(lambda at: {"running": {"startedAt": at}}, MOMENTS),
    st.builds(
        lambda word, told: {"waiting": {"reason": word, "message": told}},
        st.sampled_from(["ErrImagePull", "RunContainerError", "CrashLoopBackOff", "New"]),
        WORDS,
    ),
)
ENDS = st.builds(
    lambda word, code, told: {"terminated": {"reason": word, "exitCode": code, "message": told}},
    st.sampled_from(["Error", "OOMKilled", "StartError"]),
    st.sampled_from([0, 1, 135, 137]),
    WORDS,
)


def condition(kind: str) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {
            "type": st.just(kind),
            "status": st.sampled_from(["True", "False"]),
            "lastTransitionTime": MOMENTS,
            "message": WORDS,
        }
    )


@st.composite
def pods(draw: st.DrawFn) -> list[Json]:
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4))
    return [
        {
            "metadata": {
                "name": name,
                "uid": name,
                "creationTimestamp": draw(MOMENTS),
                "deletionTimestamp": draw(st.sampled_from([None, THEN])),
                "annotations": {naming.TEMPLATE_HASH_ANNOTATION: draw(st.sampled_from("no"))},
            },
            "spec": {"nodeName": draw(st.sampled_from([None, "node"]))},
            "status": {
                "phase": draw(st.sampled_from(["Pending", "Running", "Failed"])),
                "reason": draw(st.sampled_from([None, "Evicted", "NodeLost"])),
                "conditions": [draw(condition("PodScheduled")), draw(condition("Ready"))],
                "containerStatuses": [
                    {
                        "name": naming.CONTAINER,
                        "restartCount": draw(st.integers(0, 4)),
                        "state": draw(STATES),
                        "lastState": draw(st.just({}) | ENDS),
                    }
                ],
            },
        }
        for name in names
    ]


OUTSIDE = st.fixed_dictionaries(
    {
        name: st.builds(Outside, st.sampled_from(Engine), st.none() | WORDS.filter(bool))
        for name in "abcdef"
    }
)
DEPLOYMENTS = st.none() | st.builds(
    lambda holds, told: {
        "status": {"conditions": [{"type": "ReplicaFailure", "status": holds, "message": told}]}
    },
    st.sampled_from(["True", "False"]),
    WORDS,
)
WANTED = st.integers(0, 3)


def status(found: list[Json], outside: dict[str, Outside], rest: tuple[Json | None, int]) -> Json:
    what = Seen(read_facts(rest[0], found, outside), rest[1], "n")
    said = verdict(what)
    return {**counts(what, said), "conditions": conditions(what, said)}


def ready(document: Json) -> Json:
    made: Json = next(each for each in document["conditions"] if each["type"] == "Ready")
    return made


@given(pods(), OUTSIDE, st.tuples(DEPLOYMENTS, WANTED), st.randoms())
def test_the_order_of_pods_does_not_matter_and_nothing_is_changed_by_looking(
    found: list[Json], outside: dict[str, Outside], rest: tuple[Json | None, int], chance: Any
) -> None:
    before = copy.deepcopy((found, rest))
    first = status(found, outside, rest)
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert status(shuffled, dict(reversed(outside.items())), rest) == first
    assert (found, rest) == before


@given(pods(), OUTSIDE, st.tuples(DEPLOYMENTS, WANTED))
def test_ready_implies_available_and_no_failure_and_a_failure_says_what_to_do(
    found: list[Json], outside: dict[str, Outside], rest: tuple[Json | None, int]
) -> None:
    document = status(found, outside, rest)
    holds = {each["type"]: each["status"] for each in document["conditions"]}
    if holds["Ready"] == "True":
        assert holds["Available"] == "True"
        assert "failure" not in document
    if "failure" in document:
        assert holds["Ready"] == "False"
        assert document["failure"]["suggestion"].strip()
        assert ready(document)["message"].endswith(document["failure"]["suggestion"])


@given(pods(), OUTSIDE, st.tuples(DEPLOYMENTS, WANTED))
def test_nothing_that_is_said_exceeds_its_bounds(
    found: list[Json], outside: dict[str, Outside], rest: tuple[Json | None, int]
) -> None:
    document = status(found, outside, rest)
    assert all(len(each["message"]) <= 2000 for each in document["conditions"])
    assert all(len(str(each)) <= 2000 for each in document.get("failure", {}).values())
    assert set(document) <= set(SCHEMA["properties"]["status"]["properties"])
    said = verdict(Seen(read_facts(rest[0], found, outside), rest[1], "n"))
    assert len(event(resource_body("q")["metadata"], turn(said), NOW)["message"]) <= 1024


@given(pods(), pods(), OUTSIDE, st.tuples(DEPLOYMENTS, WANTED))
def test_a_transition_time_moves_only_with_its_status(
    one: list[Json], two: list[Json], outside: dict[str, Outside], rest: tuple[Json | None, int]
) -> None:
    former = dated(status(one, outside, rest)["conditions"], {}, (1, THEN))
    later = dated(status(two, outside, rest)["conditions"], {"conditions": former}, (2, NOW))
    for before, after in zip(former, later, strict=True):
        assert (after["lastTransitionTime"] == NOW) == (before["status"] != after["status"])


@given(pods(), OUTSIDE)
def test_phases_of_a_start_are_never_negative_and_stay_when_looked_at_again(
    found: list[Json], outside: dict[str, Outside]
) -> None:
    facts = read_facts(None, found, outside)
    if (took := startup(facts.pods, None)) is not None:
        assert all(value >= 0 for name, value in took.items() if name != "pod")
        assert startup(facts.pods, took) == took
        assert startup((), took) == took


def test_what_was_seen_is_shortened_and_what_to_do_is_not() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota " * 9000}
    document = status([], {}, ({"status": {"conditions": [failure]}}, 1))
    assert len(ready(document)["message"]) <= 2000
    assert ready(document)["message"].endswith(document["failure"]["suggestion"])
    assert len(document["failure"]["message"]) <= 2000


def test_of_equal_troubles_the_first_pod_by_name_is_told_whatever_the_order() -> None:
    def bad(name: str) -> Json:
        waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
        return {
            "metadata": {"name": name, "uid": name},
            "status": {"containerStatuses": [{"name": naming.CONTAINER, "state": waiting}]},
        }

    facts = [read_facts(None, [bad(name) for name in names], {}) for names in ("ab", "ba")]
    told = {verdict(Seen(each, 2, "")).pod for each in facts}
    assert told == {"a"}
