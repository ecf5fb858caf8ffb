"""Kubernetes events about a QwenDeployment: one for each reason, counted when it comes again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator import naming
from qwen_operator.status.pods import Trouble

_NOTE = 1000
DRIFT_CORRECTED = "DriftCorrected"


@dataclass(frozen=True, slots=True)
class News:
    """What an event tells.

    Attributes:
        reason: in one CamelCase word.
        message: for a person.
        warning: somebody should look.
    """

    reason: str
    message: str
    warning: bool = False


def turn(found: Trouble) -> News:
    """What is the case from now on."""
    return News(found.reason.name, found.message, found.reason.value.failing)


def is_worth_telling(found: Trouble, *, was_ready: bool) -> bool:
    """Whether a person wants to know; a start passes through much that only its status tells."""
    meaning = found.reason.value
    return was_ready or meaning.failing or not meaning.resolves


def event(metadata: Mapping[str, Any], news: News, now: str) -> dict[str, Any]:
    """The event that tells some news of a resource."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            # By resource and reason: a model that flaps is one event with a count, not a flood.
            "name": f"{metadata['name'][:200].rstrip('-.')}.{_mark(metadata, news)}",
            "namespace": metadata["namespace"],
        },
        "type": "Warning" if news.warning else "Normal",
        "reason": news.reason,
        "message": news.message[:_NOTE],
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


def _mark(metadata: Mapping[str, Any], news: News) -> str:
    return naming.digest([metadata["uid"], news.reason], 16)


def again(known: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch by which a known event tells that the same is the case once more."""
    return {
        "metadata": {"resourceVersion": known["metadata"]["resourceVersion"]},
        "count": int(known.get("count") or 1) + 1,
        "lastTimestamp": fresh["lastTimestamp"],
        "message": fresh["message"],
    }
