"""GPUs and nodes that are only said to exist, for the scheduler and for tests."""

from collections.abc import Mapping
from typing import Any

from e2e.cluster import api
from e2e.cluster.addresses import GPU, NODE_NAME
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout

GPUS_PER_FAKE_NODE = 8
FAKE = {"kwok.x-k8s.io/node": "fake"}
FAKE_SELECTOR = "qwen-operator.dev%2Ffake-node%3Dtrue"
FAKE_LABEL = {"qwen-operator.dev/fake-node": "true"}
NODES = "/api/v1/nodes"


def gpu_patch(count: int) -> Mapping[str, object]:
    """The change of a node's status that advertises GPUs; none at all for 0."""
    value = {GPU: str(count) if count else None}
    return {"status": {"capacity": value, "allocatable": value}}


def fake_node(number: int) -> Mapping[str, object]:
    """A node that kwok keeps ready.

    Its taint is that of GPU nodes elsewhere: pods that ask for GPUs tolerate it by
    admission, so that no pod lands there whose work must be done.
    """
    name = f"fake-{number}"
    room = {"cpu": "64", "memory": "512Gi", "pods": "250", GPU: str(GPUS_PER_FAKE_NODE)}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **FAKE_LABEL}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": FAKE, "labels": labels},
        "spec": {"taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}]},
        "status": {"capacity": room, "allocatable": room},
    }


def is_node_ready(node: Mapping[str, Any] | None) -> bool:
    """Whether a node says that it is ready."""
    conditions = (node or {}).get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def read_node(layout: Layout) -> Mapping[str, Any] | None:
    """The real node, None while it has not joined."""
    node: Mapping[str, Any] | None = api.call(layout, "GET", f"{NODES}/{NODE_NAME}")
    return node


def advertise_gpus(layout: Layout, count: int) -> None:
    """Set how many GPUs the real node says it has."""
    path = f"{NODES}/{NODE_NAME}/status"
    if api.call(layout, "PATCH", path, gpu_patch(count)) is None:
        raise ClusterError(f"There is no node {NODE_NAME} to advertise GPUs on; run `up` first.")


def read_fake_nodes(layout: Layout) -> list[Mapping[str, Any]]:
    """The fake nodes that there are."""
    found: list[Mapping[str, Any]] = api.call(
        layout, "GET", f"{NODES}?labelSelector={FAKE_SELECTOR}"
    )["items"]
    return found


def set_fake_nodes(layout: Layout, count: int) -> None:
    """Make exactly `count` fake nodes."""
    existing = {node["metadata"]["name"] for node in read_fake_nodes(layout)}
    wanted = {f"fake-{number}": fake_node(number) for number in range(count)}
    for name in sorted(existing - wanted.keys()):
        api.call(layout, "DELETE", f"{NODES}/{name}")
    for name in sorted(wanted.keys() - existing):
        api.call(layout, "POST", NODES, wanted[name])
