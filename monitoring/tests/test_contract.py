"""The contract holds for the operator's code, and its own table is sound."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from monitoring.contract import METRICS, Metric, Source, Type
from monitoring.labels import LABELS
from monitoring.pages import complaints
from qwen_operator import naming
from qwen_operator.loops.fleet import Fleet
from qwen_operator.loops.meters import Meters
from qwen_operator.observe.store import Store
from qwen_triton.metrics import MIRRORED

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "model-pod.txt"


def resource() -> dict[str, Any]:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    status = {"conditions": [ready], "startup": {"loadedSeconds": 3}}
    return {
        "kind": naming.KIND,
        "metadata": {"namespace": "n", "name": "q", "uid": "u", "resourceVersion": "1"},
        "spec": {"model": {"source": "hf://Qwen/Qwen1.5-1.8B-Chat"}},
        "status": status,
    }


@pytest.fixture
def meters() -> Meters:
    """An operator's meters, each used once."""
    made, store = Meters(), Store()
    store.put(resource())
    made.count_resources(store.reasons)
    made.show(Fleet(store))
    made.passes.labels(outcome="done").observe(0.1)
    made.requested("patch", "Service", 200)
    made.sweeps.labels(outcome="done").inc()
    made.started({"pod": "p", "loadedSeconds": 3})
    return made


def test_the_operator_shows_exactly_the_contract(meters: Meters) -> None:
    page = generate_latest(meters.registry).decode()
    assert complaints(page, Source.OPERATOR) == []


def test_the_operator_explains_each_metric_in_the_contract_s_words(meters: Meters) -> None:
    said = {
        each.name + ("_total" if each.type == "counter" else ""): each.documentation
        for each in meters.registry.collect()
    }
    told = {each.name: each.meaning for each in METRICS if each.source is Source.OPERATOR}
    assert said == told


def test_the_recorded_page_of_a_real_triton_shows_exactly_the_contract() -> None:
    absent = frozenset(each.name for each in METRICS if each.gpu_only)
    assert complaints(RECORDED.read_text(encoding="utf-8"), Source.POD, absent=absent) == []


def test_what_the_backend_mirrors_is_in_the_contract() -> None:
    def plain(metric: Metric) -> str:
        return metric.name.removesuffix("_total")

    ours = {plain(each) for each in METRICS if each.name.startswith(("vllm:", "qwen_requests"))}
    assert ours == set(MIRRORED.values())


def test_every_label_is_explained_and_no_explanation_is_left_over() -> None:
    assert {label for each in METRICS for label in each.labels} == set(LABELS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
def test_names_follow_prometheus_rules(metric: Metric) -> None:
    counts = metric.name.endswith("_total") or metric.name.startswith("nv_inference")
    assert counts == (metric.type is Type.COUNTER)
    if metric.unit == "seconds" and metric.type is not Type.COUNTER:
        assert metric.name.endswith("_seconds")
    assert metric.meaning.endswith(".")


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("# TYPE vllm:new gauge\nvllm:new 1\n", "vllm:new: not in the contract"),
        (
            '# TYPE qwen_engine_up gauge\nqwen_engine_up{model="m"} 1\n',
            "qwen_engine_up: labels ['model'], not ['model', 'model_name', 'version']",
        ),
        (
            '# TYPE qwen_engine_up counter\nqwen_engine_up{model="m"} 1\n',
            "qwen_engine_up: a counter, not a gauge",
        ),
        ("", "qwen_engine_up: the contract has it, the page does not"),
    ],
)
def test_what_does_not_agree_is_named(page: str, complaint: str) -> None:
    assert complaint in complaints(page, Source.POD)
