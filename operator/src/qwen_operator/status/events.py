"""Kubernetes events about a QwenDeployment: one whenever the reason of its readiness changes."""

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
            "generateName": f"{metadata['name'][:200].rstrip('-.')}.",
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
