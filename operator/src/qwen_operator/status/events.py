"""Kubernetes events about a QwenDeployment: one for each reason, counted when it comes again."""

from collections.abc import Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.status.pods import Trouble

_NOTE = 1000


def event(metadata: Mapping[str, Any], found: Trouble, now: str) -> dict[str, Any]:
    """The event that tells what is the case from now on."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            # By resource and reason: a model that flaps is one event with a count, not a flood.
            "name": f"{metadata['name'][:200].rstrip('-.')}.{_mark(metadata, found)}",
            "namespace": metadata["namespace"],
        },
        "type": "Warning" if found.reason.value.failing else "Normal",
        "reason": found.reason.name,
        "message": found.message[:_NOTE],
        "involvedObject": {
            "apiVersion": naming.API_VERSION,
            "kind": naming.KIND,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "source": {"component": naming.MANAGED_BY},
        "reportingComponent": f"{naming.GROUP}/operator",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def _mark(metadata: Mapping[str, Any], found: Trouble) -> str:
    return naming.digest([metadata["uid"], found.reason.name], 16)


def again(known: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch by which a known event tells that the same is the case once more."""
    return {
        "metadata": {"resourceVersion": known["metadata"]["resourceVersion"]},
        "count": int(known.get("count") or 1) + 1,
        "lastTimestamp": fresh["lastTimestamp"],
        "message": fresh["message"],
    }
