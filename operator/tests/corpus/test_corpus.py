"""What real failures print and report, and what a person is told about each: all must be right."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from qwen_operator import naming
from qwen_operator.facts import Outside, read_facts
from qwen_operator.status.document import conditions, counts
from qwen_operator.status.reasons import BY_NAME
from qwen_operator.status.verdict import Seen, verdict
from qwen_triton import failures, symptoms

Case = Mapping[str, Any]
_TAIL_BYTES = 2048
"""kubelet takes the last 2 KiB of the log where a container left no account of its own."""
GONE = (
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
)


def cases() -> list[Case]:
    here = Path(__file__).parent
    paths = sorted(here.glob("*.yaml"))
    return [case for path in paths for case in yaml.safe_load(path.read_text(encoding="utf-8"))]


def _pod(case: Case) -> dict[str, Any]:
    container: dict[str, Any] = {"name": naming.CONTAINER, "restartCount": 1, "state": {}}
    scheduled: dict[str, Any] = {"type": "PodScheduled", "status": "True"}
    status: dict[str, Any] = {"phase": "Pending"}
    match case["kind"]:
        case "console":
            tail = case["text"].encode()[-_TAIL_BYTES:].decode(errors="replace")
            ended = {"reason": "Error", "exitCode": 1, "message": tail}
            container["lastState"] = {"terminated": ended}
        case "termination":
            container["lastState"] = {"terminated": case["termination"]}
        case "waiting":
            container["state"] = {"waiting": case["waiting"]}
        case "scheduler":
            scheduled = {**scheduled, "status": "False", "message": case["text"]}
        case "ended":
            status |= case["ended"]
    status |= {"conditions": [scheduled], "containerStatuses": [container]}
    asked = {"limits": {"nvidia.com/gpu": "2"}}
    spec = {"containers": [{"name": naming.CONTAINER, "image": "r/i:1", "resources": asked}]}
    metadata: dict[str, Any] = {"name": "p", "uid": "u"}
    if case.get("ended", {}).get("reason") == "NodeLost":
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "spec": spec, "status": status}


def told(case: Case) -> tuple[str, str]:
    """Reason and suggestion of the status when this is what there is to see."""
    refused = case["kind"] == "refusal"
    failure = {"type": "ReplicaFailure", "status": "True", "message": case.get("text")}
    deployment = {"status": {"conditions": [failure] if refused else []}}
    warning = case["text"] if case["kind"] == "event" else case.get("warning")
    facts = read_facts(deployment, [] if refused else [_pod(case)], {"u": Outside(warning=warning)})
    what = Seen(facts, 1, "")
    found = verdict(what)
    document = counts(what, found)["failure"]
    ready = next(each for each in conditions(what, found) if each["type"] == "Ready")
    assert ready["message"].endswith(document["suggestion"]), "nobody reads what was cut away"
    return document["reason"], document["suggestion"]


def left_by_the_backend(case: Case) -> tuple[str, str]:
    """Reason and suggestion when the backend could read its own console, and leave an account."""
    failure = failures.classify(GONE, case["text"].splitlines())
    account = {"reason": "Error", "exitCode": 1, "message": failure.document()}
    return told({**case, "kind": "termination", "termination": account})


def wrong(case: Case) -> list[str]:
    wanted = case["reason"], case["suggests"]
    ways = [told, left_by_the_backend] if case["kind"] == "console" else [told]
    found = [(way.__name__, *way(case)) for way in ways]
    return [
        f"{case['name']} ({way}): {reason}: {todo!r}, not {wanted}"
        for way, reason, todo in found
        if reason != wanted[0] or wanted[1] not in todo
    ]


def test_every_failure_is_told_with_its_reason_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = cases()
    errors = {case["name"]: found for case in known if (found := wrong(case))}
    with capsys.disabled():
        print(f"\ncorpus: {len(known) - len(errors)} of {len(known)} right")  # noqa: T201 - the figure
    assert not errors, "\n".join(line for lines in errors.values() for line in lines)


def test_the_corpus_is_cited_short_and_each_of_its_cases_has_a_name_of_its_own() -> None:
    known = cases()
    assert len(known) >= 40
    assert len({case["name"] for case in known}) == len(known)
    for case in known:
        assert case["source"].startswith(("https://github.com/", "provoked here")), case["name"]
        assert len(case.get("text", "").splitlines()) <= 25, case["name"]


def test_what_the_table_names_is_known_on_both_sides() -> None:
    assert set(BY_NAME) >= symptoms.REASONS
    assert {reason.value for reason in failures.Reason} >= symptoms.REASONS


def test_a_report_of_progress_is_no_cause() -> None:
    lines = ["INFO 01-01 CUDA out of memory is handled", "I0820 06:19:20 Segmentation fault"]
    assert symptoms.telling(lines) == []


def test_a_refused_configuration_is_told_with_the_field_that_is_wrong() -> None:
    lines = ["ValidationError: 1 validation error for CacheConfig", "gpu_memory_utilization"]
    lines += ["  Input should be less than or equal to 1 [type=less_than_equal, input_value=1.7]"]
    told = failures.classify("\n".join(lines), [])
    assert told.message.endswith(
        "for CacheConfig: gpu_memory_utilization: Input should be less than or equal to 1"
    )


def test_what_rules_out_every_node_is_what_is_told() -> None:
    words = "0/6 nodes are available: 2 Insufficient nvidia.com/gpu, 6 node(s) didn't match."
    assert told({"kind": "scheduler", "text": words})[0] == "Unschedulable"
