"""What is the case with one resource, from the objects that a cluster shows: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from qwen_operator import naming

Json = dict[str, Any]


def when(text: str | None) -> datetime | None:
    """A time of the API."""
    return None if not text else datetime.fromisoformat(text).astimezone(UTC)


def age(text: str | None, now: datetime) -> str:
    """How long ago, as kubectl writes it."""
    then = when(text)
    if then is None:
        return "<unknown>"
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit, most in ((1, "s", 120), (60, "m", 7200), (3600, "h", 172800)):
        if seconds < most:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"


def condition(resource: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """One condition, or nothing while the status says nothing of it."""
    held = (resource.get("status") or {}).get("conditions") or ()
    return next((each for each in held if each.get("type") == kind), {})


def is_ready(resource: Mapping[str, Any]) -> bool:
    """Ready, and for the spec as it stands."""
    found = condition(resource, "Ready")
    current = found.get("observedGeneration") == resource["metadata"].get("generation")
    return current and found.get("status") == "True"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a resource.

    Attributes:
        name: of the pod.
        state: one word: Ready, Loading, or what Kubernetes says is in its way.
        restarts: of its containers.
        node: where it runs, if anywhere.
        created: when.
        message: more about the state, if anything is known.
    """

    name: str
    state: str
    restarts: int
    node: str
    created: str | None
    message: str = ""


def _waiting(body: Mapping[str, Any]) -> tuple[str, str] | None:
    status = body.get("status") or {}
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for each in every:
        state = each.get("state") or {}
        for kind in ("waiting", "terminated"):
            found = state.get(kind) or {}
            if found.get("reason") not in {None, "PodInitializing", "ContainerCreating"}:
                return str(found["reason"]), str(found.get("message") or "")
    scheduled = [
        each
        for each in status.get("conditions") or ()
        if each.get("type") == "PodScheduled" and each.get("status") == "False"
    ]
    if scheduled:
        return str(scheduled[0].get("reason")), str(scheduled[0].get("message") or "")
    return None


def pod(body: Mapping[str, Any]) -> Pod:
    """One pod as it is shown."""
    metadata, status = body["metadata"], body.get("status") or {}
    ready = any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )
    state, message = str(status.get("phase") or "Unknown"), ""
    if metadata.get("deletionTimestamp"):
        state = "Ending"
    elif (found := _waiting(body)) is not None:
        state, message = found
    elif ready:
        state = "Ready"
    elif state == "Running":
        state = "Loading"
    restarts = sum(each.get("restartCount", 0) for each in status.get("containerStatuses") or ())
    node = str((body.get("spec") or {}).get("nodeName") or "")
    return Pod(metadata["name"], state, restarts, node, metadata.get("creationTimestamp"), message)


def belongs(event: Mapping[str, Any], resource: Mapping[str, Any], pods: Iterable[str]) -> bool:
    """An event about the resource, one of its children, or one of its pods."""
    about = event.get("involvedObject") or {}
    metadata = resource["metadata"]
    if about.get("uid") and about.get("uid") == metadata.get("uid"):
        return True
    child = naming.child_name(metadata["name"])
    name = str(about.get("name") or "")
    kinds = {"Deployment", "Service", "ConfigMap", "HorizontalPodAutoscaler", "ReplicaSet"}
    ours = name == child or name.startswith(f"{child}-")
    return name in set(pods) or (about.get("kind") in kinds and ours)


def event_time(event: Mapping[str, Any]) -> str:
    """When an event was last seen."""
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
