"""A model that cannot fit gets no pod, and what runs already is left alone."""

from typing import Any

import pytest

from qwen_operator.cluster.protocol import DEPLOYMENT, EVENT
from qwen_operator.settings import Settings
from tests.unit.conftest import Bench, make_bench
from tests.unit.stand_ins import Json, resource_body
from tests.unit.test_reconcile import conditions, edit

HOPELESS: Json = {
    "model": {"source": "hf://Qwen/Qwen3-32B"},
    "resources": {"gpuProduct": "NVIDIA-L4"},
}


def fit(bench: Bench) -> Any:
    return bench.cluster.resource()["status"].get("fit", {})


def deployments(bench: Bench) -> list[Json]:
    return list(bench.cluster.all(DEPLOYMENT))


async def test_a_model_that_cannot_fit_is_refused_before_anything_is_made(bench: Bench) -> None:
    bench.add(resource_body(**HOPELESS))
    await bench.once()
    assert [verb for verb, _, _ in bench.cluster.writes()] == ["apply_status", "create"]
    told = conditions(bench)
    assert (told["Accepted"]["status"], told["Accepted"]["reason"]) == ("False", "DoesNotFit")
    assert (
        "it would fit with spec.model.source: hf://Qwen/Qwen3-32B-AWQ"
        in (told["Accepted"]["message"])
    )
    assert told["Progressing"]["status"] == "False"
    assert "or set spec.engine.skipFitCheck to true" in told["Ready"]["message"]
    assert fit(bench)["verdict"] == "DoesNotFit"
    (event,) = bench.cluster.all(EVENT)
    assert (event["type"], event["reason"]) == ("Warning", "DoesNotFit")
    bench.cluster.calls.clear()
    await bench.once()
    assert bench.cluster.calls == []


async def test_who_wants_to_try_may(bench: Bench) -> None:
    bench.add(resource_body(**HOPELESS))
    await bench.once()
    edit(bench, engine={"skipFitCheck": True})
    await bench.once()
    assert len(deployments(bench)) == 1
    assert conditions(bench)["Accepted"]["status"] == "True"
    assert fit(bench)["verdict"] == "DoesNotFit"


@pytest.mark.parametrize(
    "cure",
    [
        {"resources": {"gpuProduct": "H200"}},
        {"model": {"source": "hf://Qwen/Qwen3-0.6B"}},
        {"resources": {}},
    ],
)
async def test_a_mended_spec_gets_its_pods(bench: Bench, cure: Json) -> None:
    bench.add(resource_body(**HOPELESS))
    await bench.once()
    edit(bench, **cure)
    await bench.once()
    assert len(deployments(bench)) == 1
    assert conditions(bench)["Accepted"]["reason"] == "Valid"
    assert fit(bench).get("verdict") in {"Fits", None}


async def test_what_runs_already_proves_more_than_a_computation(bench: Bench) -> None:
    """Nobody knew the GPU when it was started; now somebody says it."""
    bench.add(resource_body(model=HOPELESS["model"]))
    await bench.once()
    (before,) = deployments(bench)
    edit(bench, resources={"gpuProduct": "NVIDIA-L4"}, replicas=2)
    await bench.once()
    assert conditions(bench)["Accepted"]["status"] == "True"
    assert fit(bench)["verdict"] == "DoesNotFit"
    (after,) = deployments(bench)
    assert after["spec"]["replicas"] == 2
    assert after["spec"]["template"] == before["spec"]["template"]


async def test_a_change_to_what_cannot_fit_leaves_the_running_pods(bench: Bench) -> None:
    small = {"model": {"source": "hf://Qwen/Qwen3-0.6B"}, "resources": HOPELESS["resources"]}
    bench.add(resource_body(**small))
    await bench.once()
    (before,) = deployments(bench)
    selector = bench.cluster.resource()["status"]["selector"]
    edit(bench, **HOPELESS)
    await bench.once()
    assert deployments(bench) == [before]
    assert conditions(bench)["Accepted"]["reason"] == "DoesNotFit"
    assert bench.cluster.resource()["status"]["selector"] == selector


async def test_the_administrators_gpu_counts_where_the_resource_names_none() -> None:
    bench = make_bench(Settings(gpu_product="NVIDIA-L4"))
    bench.add(resource_body(model=HOPELESS["model"]))
    await bench.once()
    assert deployments(bench) == []
    assert fit(bench)["toldBy"] == "the operator's setting gpuProduct"
