"""What belongs to a model: its pods and events, read from the cluster."""

from collections.abc import Mapping
from typing import Any

from qwen_operator import naming
from qwenctl.errors import NoCluster
from qwenctl.online.connection import Cluster
from qwenctl.online.view import belongs, event_time, pod

Json = dict[str, Any]


def _selector(resource: Mapping[str, Any]) -> str:
    status = resource.get("status") or {}
    child, uid = naming.child_name(resource["metadata"]["name"]), resource["metadata"].get("uid")
    return status.get("selector") or f"{naming.INSTANCE_LABEL}={child},{naming.UID_LABEL}={uid}"


def pods_of(cluster: Cluster, resource: Mapping[str, Any]) -> list[Json]:
    """The pods of a resource, oldest first."""
    namespace = resource["metadata"]["namespace"]
    answer = cluster.get(
        f"list pods in namespace {namespace}",
        f"/api/v1/namespaces/{namespace}/pods",
        {"labelSelector": _selector(resource)},
    )
    found: list[Json] = answer.get("items") or []
    return sorted(found, key=lambda each: str(each["metadata"].get("creationTimestamp")))


def ready_pods(cluster: Cluster, resource: Mapping[str, Any]) -> list[Json]:
    """Pods that kubelet calls ready, oldest first.

    Raises:
        NoCluster: there is none.
    """
    found = [each for each in pods_of(cluster, resource) if pod(each).state == "Ready"]
    if not found:
        raise NoCluster(f"no pod of {resource['metadata']['name']} is ready just now; ask again")
    return found


def events_of(cluster: Cluster, resource: Mapping[str, Any], pods: list[Json]) -> list[Json]:
    """The events about a resource, its children and its pods, oldest first."""
    namespace = resource["metadata"]["namespace"]
    path = f"/api/v1/namespaces/{namespace}/events"
    answer = cluster.get(f"list events in namespace {namespace}", path)
    names = [each["metadata"]["name"] for each in pods]
    found = [each for each in answer.get("items") or () if belongs(each, resource, names)]
    return sorted(found, key=event_time)
