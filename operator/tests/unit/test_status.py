"""The status: its laws for everything that can be seen, and every reason said with its remedy."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.facts import Engine, Facts, PodFacts, Termination
from qwen_operator.status.document import conditions, counts, dated, endpoints
from qwen_operator.status.events import event, turn
from qwen_operator.status.pods import Trouble, log_line, trouble
from qwen_operator.status.reasons import BY_NAME, Reason
from qwen_operator.status.verdict import Seen, verdict
from tests.unit.stand_ins import resource_body

NOW, THEN = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"
WORDS = st.sampled_from(
    ["", "ErrImagePull", "CrashLoopBackOff", "ContainerCreating", "CreateError"]
)
REPORTS = st.sampled_from(
    ["", "boom", '{"reason": "KVCacheTooSmall"}', '{"reason": 1}', "[1]", "{"]
)
TERMINATIONS = st.builds(
    Termination,
    reason=st.sampled_from(["Error", "OOMKilled", "Completed"]),
    exit_code=st.sampled_from([0, 1, 137, 139]),
    message=REPORTS,
)
PODS = st.builds(
    PodFacts,
    name=st.sampled_from(["a", "b", "c"]),
    uid=st.just("u"),
    template_hash=st.sampled_from(["new", "old"]),
    ready=st.booleans(),
    scheduled=st.booleans(),
    unschedulable=st.none() | st.sampled_from(["Insufficient nvidia.com/gpu", "taint"]),
    waiting=st.none() | st.tuples(WORDS, st.just("told")),
    running=st.booleans(),
    termination=st.none() | TERMINATIONS,
    restarts=st.integers(0, 5),
    engine=st.sampled_from(Engine),
    has_door=st.booleans(),
)
FACTS = st.builds(
    Facts,
    pods=st.lists(PODS, max_size=4).map(tuple),
    replica_failure=st.none() | st.sampled_from(["exceeded quota", "violates PodSecurity", "x"]),
    deployment_seen=st.booleans(),
)
SEEN = st.builds(
    Seen,
    facts=FACTS,
    wanted=st.integers(0, 4),
    template_hash=st.just("new"),
    suspended=st.booleans(),
)


@pytest.mark.parametrize(
    ("doors", "said"),
    [
        ((True, True), "2 of 2 pods answer"),
        (
            (True, False),
            "2 of 2 pods answer; 1 without an OpenAI endpoint on :9000 (the log of p1 says why)",
        ),
        (
            (False, False),
            "2 of 2 pods answer; 2 without an OpenAI endpoint on :9000 (the log of p0 says why)",
        ),
    ],
)
def test_a_missing_openai_endpoint_is_said_of_a_model_that_serves(
    doors: tuple[bool, ...], said: str
) -> None:
    pods = tuple(
        PodFacts(f"p{n}", "u", "new", ready=True, engine=Engine.UP, has_door=door)
        for n, door in enumerate(doors)
    )
    found = verdict(Seen(Facts(pods=pods), 2, "new"))
    assert (found.reason, found.message) == (Reason.Serving, said)


def by_type(what: Seen) -> dict[str, dict[str, str]]:
    return {each["type"]: each for each in conditions(what, verdict(what))}


@given(SEEN)
def test_ready_means_that_enough_updated_pods_serve(what: Seen) -> None:
    updated = [pod for pod in what.facts.pods if pod.template_hash == "new" and pod.is_serving]
    ready = bool(what.wanted) and len(updated) >= what.wanted
    assert (by_type(what)["Ready"]["status"] == "True") == ready


@given(SEEN)
def test_available_means_that_anything_serves(what: Seen) -> None:
    serving = any(pod.is_serving for pod in what.facts.pods)
    assert (by_type(what)["Available"]["status"] == "True") == serving


@given(SEEN)
def test_every_state_has_four_conditions_with_words(what: Seen) -> None:
    found = by_type(what)
    assert set(found) == {"Accepted", "Progressing", "Available", "Ready"}
    for each in found.values():
        assert each["reason"].isidentifier()
        assert 0 < len(each["message"]) <= 32768
    assert found["Ready"]["reason"] in BY_NAME


@given(SEEN)
def test_a_failure_is_told_when_there_is_one_and_only_then(what: Seen) -> None:
    found = verdict(what)
    document = counts(what, found)
    assert ("failure" in document) == found.reason.value.failing
    if "failure" in document:
        assert document["failure"]["reason"] == by_type(what)["Ready"]["reason"]
        assert document["failure"]["suggestion"]
    assert document["readyReplicas"] <= document["replicas"]
    assert document["updatedReplicas"] <= document["replicas"]


@given(SEEN)
def test_the_most_specific_of_several_troubles_is_reported(what: Seen) -> None:
    found = verdict(what)
    ranks = [each.reason.rank for pod in what.updated if (each := trouble(pod)) is not None]
    if what.wanted and found.reason is not Reason.Serving and ranks:
        assert found.reason.rank <= min(ranks)


@given(PODS)
def test_a_serving_pod_has_no_trouble_and_any_other_has_one(pod: PodFacts) -> None:
    if pod.unschedulable is None and pod.waiting is None:
        assert (trouble(pod) is None) == pod.is_serving


@given(SEEN, SEEN)
def test_transition_times_move_only_with_the_status(one: Seen, other: Seen) -> None:
    first = dated(conditions(one, verdict(one)), {}, (1, THEN))
    second = dated(conditions(other, verdict(other)), {"conditions": first}, (2, NOW))
    assert {each["lastTransitionTime"] for each in first} == {THEN}
    for before, after in zip(first, second, strict=True):
        moved = before["status"] != after["status"]
        assert after["lastTransitionTime"] == (NOW if moved else THEN)
        assert after["observedGeneration"] == 2


def test_pods_of_an_older_configuration_answer_but_do_not_make_it_ready() -> None:
    old = PodFacts(name="a", uid="u", template_hash="old", ready=True, engine=Engine.UP)
    found = by_type(Seen(Facts((old,)), 1, "new"))
    assert found["Ready"]["status"] == "False"
    assert found["Available"]["status"] == "True"
    assert "older" in found["Ready"]["message"]


def test_an_obstacle_is_said_first() -> None:
    pod = PodFacts(name="a", uid="u", template_hash="new", ready=True, engine=Engine.UP)
    what = Seen(Facts((pod,)), 1, "new", obstacle=Trouble(Reason.NameTaken, "taken"))
    assert by_type(what)["Ready"] == by_type(what)["Ready"] | {
        "status": "False",
        "reason": "NameTaken",
    }
    assert by_type(what)["Available"]["status"] == "True"
    assert by_type(what)["Accepted"]["status"] == "True"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("\n \n", None),
        ("one\ntwo", "two"),
        ("RuntimeError: boom\nbye", "RuntimeError: boom"),
        ("x" * 999, "x" * 400),
    ],
)
def test_the_telling_line_of_a_log_is_found(text: str, line: str | None) -> None:
    assert log_line(text) == line


@pytest.mark.parametrize("engine", Engine)
def test_a_pod_that_kubelet_calls_unready_never_serves(engine: Engine) -> None:
    pod = PodFacts(name="a", uid="u", template_hash="", running=True, scheduled=True, engine=engine)
    assert trouble(pod) is not None


def test_a_crash_says_that_it_loads_again_or_waits() -> None:
    end = Termination("Error", 1, json.dumps({"reason": "CudaOutOfMemory", "message": "no room"}))
    running = PodFacts("a", "u", "h", scheduled=True, running=True, termination=end, restarts=2)
    found = trouble(running)
    assert found is not None
    assert found.reason is Reason.CudaOutOfMemory
    assert "loading again (restart 2)" in found.message
    waiting = PodFacts("a", "u", "h", scheduled=True, termination=end, restarts=2)
    assert "waits to be restarted" in (trouble(waiting) or found).message


def test_every_reason_has_a_meaning_and_a_remedy() -> None:
    for reason in Reason:
        assert reason.value.means.endswith(".")
        assert reason.value.remedy.endswith(".")
    assert len({id(reason) for reason in Reason}) == len(BY_NAME), "two reasons mean the same"


def test_endpoints_are_what_the_service_is_called() -> None:
    found = endpoints("qwen", "models", "m")
    assert found["http"] == "http://qwen.models.svc:8000/v2/models/m/generate"
    assert found["grpc"] == "qwen.models.svc:8001"


@pytest.mark.parametrize("name", ["qwen", "a" * 199 + ".b", "a" * 199 + "-b", "x" * 253])
def test_an_events_name_is_valid_for_every_resource(name: str) -> None:
    made = event(resource_body(name)["metadata"], turn(Trouble(Reason.Serving, "x" * 5000)), NOW)
    generated = made["metadata"]["name"]
    assert len(generated) <= 253
    assert all(part and part.strip("-") == part for part in generated.split("."))
    assert len(made["message"]) <= 1024
    assert made["type"] == "Normal"
    assert made["involvedObject"]["uid"] == resource_body(name)["metadata"]["uid"]
