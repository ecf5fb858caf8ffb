"""How many GPUs are free: told beside the scheduler's words, and asked for only when one lacks."""

import asyncio
from typing import Any

import pytest

from qwen_operator.cluster.protocol import DEPLOYMENT
from qwen_operator.errors import Refused, Unreachable
from qwen_operator.loops.queue import Queue
from qwen_operator.loops.rounds import look_up_capacity
from qwen_operator.naming import Key
from qwen_operator.observe.capacity import Capacity, Free
from tests.unit.conftest import Bench
from tests.unit.stand_ins import Json, resource_body

GPU = "nvidia.com/gpu"
WORDS = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."


def node(name: str, gpus: int, **spec: Any) -> Json:
    allocatable = {GPU: str(gpus)} if gpus else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "namespace": ""},
        "spec": spec,
        "status": {"allocatable": allocatable},
    }


def pod(name: str, gpus: int, where: str | None = None, **status: Any) -> Json:
    limits = {"limits": {GPU: str(gpus)}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "others"},
        "spec": {"nodeName": where, "containers": [{"name": "triton", "resources": limits}]},
        "status": status,
    }


@pytest.mark.parametrize(
    ("offered", "used", "words"),
    [
        ({"a": 4}, {"a": 4}, f"0 of 4 {GPU} are free"),
        ({"a": 4}, {"a": 3}, f"1 of 4 {GPU} are free"),
        ({"a": 4, "b": 4}, {"a": 3, "b": 2}, f"3 of 8 {GPU} are free, at most 2 on one node"),
        ({"a": 4, "b": 4}, {"a": 4, "b": 4}, f"0 of 8 {GPU} are free"),
        ({"a": 2}, {"a": 5}, f"0 of 2 {GPU} are free"),
        ({}, {}, f"no node that pods may be scheduled to has {GPU}"),
        ({"a": 8, "b": 8}, None, f"2 nodes have 16 {GPU} in all"),
    ],
)
def test_what_is_free_is_told_in_words(
    offered: dict[str, int], used: dict[str, int] | None, words: str
) -> None:
    assert Free(GPU, offered, used).words == words


async def _waiting(bench: Bench) -> Json:
    """A resource whose pod waits for two GPUs."""
    spec: Json = {"resources": {"gpus": 2}, "engine": {"tensorParallelSize": 2}}
    bench.add(resource_body(**spec))
    await bench.once()
    template = bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["template"]
    condition = {"type": "PodScheduled", "status": "False", "message": WORDS}
    metadata = {**template["metadata"], "name": "p", "namespace": "models"}
    return bench.add(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": template["spec"],
            "status": {"phase": "Pending", "conditions": [condition]},
        }
    )


async def _look(bench: Bench) -> Queue:
    queue = Queue(asyncio.get_running_loop().time)
    await look_up_capacity(bench.cluster, (bench.store, bench.capacity), queue)
    return queue


async def test_a_pod_that_waits_for_gpus_is_told_how_many_are_free(bench: Bench) -> None:
    await _waiting(bench)
    for each in (node("a", 4), node("b", 4), node("c", 0), node("d", 8, unschedulable=True)):
        bench.cluster.put(each)
    for each in (pod("1", 3, "a"), pod("2", 3, "b"), pod("3", 4, "b", phase="Succeeded")):
        bench.cluster.put(each)
    queue = await _look(bench)
    assert await queue.get() == Key("models", "qwen")
    await bench.once()
    failure = bench.cluster.resource()["status"]["failure"]
    assert failure["reason"] == "WaitingForGPU"
    assert WORDS in failure["message"]
    assert "2 of 8 nvidia.com/gpu are free, at most 1 on one node" in failure["suggestion"]


async def test_nodes_are_asked_for_only_while_a_pod_waits_and_not_all_the_time(
    bench: Bench,
) -> None:
    bench.cluster.put(node("a", 4))
    await _look(bench)
    assert ("list", "Node", "") not in bench.cluster.calls
    await _waiting(bench)
    for _ in range(3):
        await _look(bench)
    assert bench.cluster.calls.count(("list", "Node", "")) == 1
    bench.clock.now += 31
    assert len(await _look(bench)) == 0, "the answer is the same"
    assert bench.cluster.calls.count(("list", "Node", "")) == 2


@pytest.mark.parametrize("problem", [Refused("403"), Unreachable("away")])
async def test_where_nobody_may_look_at_nodes_the_schedulers_words_do(
    bench: Bench, problem: Exception
) -> None:
    await _waiting(bench)
    bench.cluster.refusals[("list", "Node")] = problem  # type: ignore[assignment]
    assert len(await _look(bench)) == 0
    await bench.once()
    assert bench.cluster.resource()["status"]["failure"]["reason"] == "WaitingForGPU"


async def test_a_container_before_the_others_counts_where_it_asks_for_more(bench: Bench) -> None:
    body = pod("1", 1, "a")
    body["spec"]["initContainers"] = [{"resources": {"limits": {GPU: "3"}}}]
    bench.cluster.put(node("a", 4))
    bench.cluster.put(body)
    capacity = Capacity(lambda: 0.0)
    assert await capacity.ask(bench.cluster, GPU)
    waiting = await _waiting(bench)
    assert capacity.of(waiting) == f"1 of 4 {GPU} are free"
