"""What happened to a model in the order of its times: conditions, containers, events; pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qwenctl.online.view import event_time

_Line = tuple[str, str]
"""A time of the API, and what happened then."""


def _conditions(of: Mapping[str, Any], name: str) -> Iterator[_Line]:
    for each in (of.get("status") or {}).get("conditions") or ():
        words = " ".join(
            str(each.get(key)) for key in ("type", "status", "reason", "message") if each.get(key)
        )
        yield str(each.get("lastTransitionTime") or ""), f"{name}: {words}"


def _containers(pod: Mapping[str, Any], name: str) -> Iterator[_Line]:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        for key in ("lastState", "state"):
            for state, found in (container.get(key) or {}).items():
                held = f"{name}, container {container.get('name')}"
                if found.get("startedAt"):
                    yield str(found["startedAt"]), f"{held}: started"
                if state == "terminated" and found.get("finishedAt"):
                    why = f"{found.get('reason')} with exit code {found.get('exitCode')}"
                    said = str(found.get("message") or "").strip().splitlines()
                    tail = f": {said[-1]}" if said else ""
                    yield str(found["finishedAt"]), f"{held}: ended, {why}{tail}"


def _lines(
    resource: Mapping[str, Any],
    pods: Iterable[Mapping[str, Any]],
    events: Iterable[Mapping[str, Any]],
) -> Iterator[_Line]:
    metadata = resource["metadata"]
    yield str(metadata.get("creationTimestamp") or ""), f"{metadata['name']}: created"
    yield from _conditions(resource, metadata["name"])
    for pod in pods:
        name = f"pod {pod['metadata']['name']}"
        yield str(pod["metadata"].get("creationTimestamp") or ""), f"{name}: created"
        yield from _conditions(pod, name)
        yield from _containers(pod, name)
    for each in events:
        about = each.get("involvedObject") or {}
        count = (each.get("series") or {}).get("count") or each.get("count") or 1
        times = f" ({count} times by then)" if count > 1 else ""
        message = " ".join(str(each.get("message") or each.get("note") or "").split())
        words = f"{each.get('type')} event {each.get('reason')}{times}: {message}"
        yield event_time(each), f"{about.get('kind')} {about.get('name')}: {words}"


def history(
    resource: Mapping[str, Any],
    pods: Iterable[Mapping[str, Any]],
    events: Iterable[Mapping[str, Any]],
) -> str:
    """One line for each thing that happened, the oldest first."""
    found = {f"{time} {words}" for time, words in _lines(resource, pods, events) if time}
    return "".join(f"{each}\n" for each in sorted(found))
