"""How many pods run: what the user wrote, or what an autoscaler made of it."""

from typing import Any

import pytest

from qwen_operator.api.resource import read_resource
from qwen_operator.cluster.protocol import DEPLOYMENT, HPA
from qwen_operator.desired.scale import scaled
from tests.unit.conftest import Bench
from tests.unit.stand_ins import resource_body

BOUNDS = {"minReplicas": 2, "maxReplicas": 5}


def count(live: int | None, **spec: Any) -> int:
    found = None if live is None else {"spec": {"replicas": live}}
    return scaled(read_resource(resource_body(**spec)), found).spec.replicas


@pytest.mark.parametrize(
    ("live", "spec", "wanted"),
    [
        (7, {"replicas": 3}, 3),
        (4, {"replicas": 3, "autoscaling": BOUNDS}, 4),
        (9, {"replicas": 3, "autoscaling": BOUNDS}, 5),
        (1, {"replicas": 3, "autoscaling": BOUNDS}, 2),
        (None, {"replicas": 3, "autoscaling": BOUNDS}, 3),
        (None, {"autoscaling": BOUNDS}, 2),
        (0, {"replicas": 3, "autoscaling": BOUNDS}, 3),
        (0, {"replicas": 3, "autoscaling": {"minReplicas": 0, "maxReplicas": 5}}, 0),
    ],
)
def test_an_autoscaler_decides_within_its_bounds(
    live: int | None, spec: dict[str, Any], wanted: int
) -> None:
    assert count(live, **spec) == wanted


async def test_what_an_autoscaler_wrote_is_kept_by_every_pass(bench: Bench) -> None:
    bench.add(resource_body(replicas=2, autoscaling=BOUNDS))
    await bench.once()
    deployment = bench.cluster.one(DEPLOYMENT, "qwen")
    bench.cluster.put({**deployment, "spec": {**deployment["spec"], "replicas": 4}})
    await bench.once()
    assert bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["replicas"] == 4


async def test_a_deployment_scaled_by_hand_is_set_back_without_an_autoscaler(bench: Bench) -> None:
    bench.add(resource_body(replicas=2))
    await bench.once()
    deployment = bench.cluster.one(DEPLOYMENT, "qwen")
    bench.cluster.put({**deployment, "spec": {**deployment["spec"], "replicas": 4}})
    await bench.once()
    assert bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["replicas"] == 2


async def test_metrics_make_an_autoscaler_and_their_end_removes_it(bench: Bench) -> None:
    metrics = [{"type": "Resource", "resource": {"name": "cpu"}}]
    bench.add(resource_body(autoscaling={**BOUNDS, "metrics": metrics}))
    await bench.once()
    made = bench.cluster.one(HPA, "qwen")["spec"]
    assert made["scaleTargetRef"]["name"] == "qwen"
    assert (made["minReplicas"], made["maxReplicas"], made["metrics"]) == (2, 5, metrics)
    bench.add(resource_body(autoscaling=BOUNDS))
    await bench.once()
    assert bench.cluster.all(HPA) == []
