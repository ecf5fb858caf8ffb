"""`qwenctl status` and `events`: one model as the cluster shows it."""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from qwenctl.exits import Exit
from qwenctl.online.connection import Cluster
from qwenctl.online.kubeconfig import Target
from qwenctl.online.members import events_of, pods_of
from qwenctl.online.options import Context, Kubeconfig, Name, Namespace
from qwenctl.online.progress import Progress, bar, of_model, progress_of, told_by_operator
from qwenctl.online.view import age, condition, event_time, is_ready, pod
from qwenctl.output import Format, Output, document, plain_table, rendered, say, write

Json = dict[str, Any]

_POLL_SECONDS = 2.0
_HOME_AND_CLEAR = "\x1b[H\x1b[2J"
_FITS = {"Fits": "fits", "MayNotFit": "may not fit", "Unknown": "whether it fits is not known"}
_PHASES = {
    "scheduledSeconds": "to be scheduled",
    "pulledSeconds": "to be pulled",
    "downloadedSeconds": "to be downloaded",
    "loadedSeconds": "to load",
    "readySeconds": "to be ready",
}
_COLOURS = {"True": "green", "False": "red"}


def _looked_at(cluster: Cluster, name: str) -> Json:
    """Read what the screen needs."""
    found = cluster.resource(name)
    pods = pods_of(cluster, found)
    starting = [each for each in pods if pod(each).state == "Loading"]
    read = {each["metadata"]["name"]: progress_of(cluster, each) for each in starting}
    source = found["spec"]["model"]["source"]
    told = told_by_operator(found.get("status") or {})
    known = {
        of: of_model(each, source)
        for of, seen in read.items()
        if (each := seen or told.get(of)) is not None
    }
    return status_value(found, pods, known)


def status_value(
    resource: Mapping[str, Any], pods: list[Json], starting: Mapping[str, Progress]
) -> Json:
    """One screen's worth of a resource.

    Args:
        resource: as the cluster has it.
        pods: its pods.
        starting: name of a pod → how far its start has come.
    """
    spec, status = resource["spec"], resource.get("status") or {}
    ready = condition(resource, "Ready")
    return {
        "name": resource["metadata"]["name"],
        "namespace": resource["metadata"]["namespace"],
        "ready": is_ready(resource),
        "reason": ready.get("reason") or "Pending",
        "message": ready.get("message") or "the operator has not looked at it yet",
        "since": ready.get("lastTransitionTime"),
        "replicas": {
            "ready": status.get("readyReplicas") or 0,
            "updated": status.get("updatedReplicas") or 0,
            "wanted": 0 if spec.get("suspend") else spec.get("replicas", 1),
        },
        "model": spec["model"]["source"],
        "gpus": (spec.get("resources") or {}).get("gpus", 1),
        "image": status.get("image"),
        "conditions": [
            {key: each.get(key) for key in ("type", "status", "reason", "message")}
            for each in status.get("conditions") or ()
        ],
        "failure": status.get("failure"),
        "fit": status.get("fit"),
        "startup": status.get("startup"),
        "endpoints": status.get("endpoints"),
        "outdatedPods": status.get("outdatedPods") or [],
        "pods": [
            {
                **{name: getattr(shown, name) for name in shown.__slots__},
                "progress": asdict(starting[shown.name]) if shown.name in starting else None,
            }
            for shown in map(pod, pods)
        ],
    }


def _failure_parts(failure: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield ""
    on = f" on pod {failure['pod']}" if failure.get("pod") else ""
    yield Text.assemble(("failure", "red"), f"{on}: {failure.get('message')}")
    if failure.get("logLine"):
        yield f"  log: {failure['logLine']}"
    yield f"  what to do: {failure.get('suggestion')}"


def _head(value: Json, now: datetime) -> Iterator[RenderableType]:
    replicas, failure = value["replicas"], value["failure"] or {}
    word = Text(value["reason"], "green" if value["ready"] else "yellow")
    since = f" for {age(value['since'], now)}" if value["since"] else ""
    yield Text.assemble(f"{value['namespace']}/{value['name']}: ", word, since)
    # The failure, with which the screen ends, says most of it again.
    if (failure.get("message") or value["message"] + " ") not in value["message"]:
        yield f"  {value['message']}"
    count = value["gpus"]
    gpus = f"{count} {'GPU' if count == 1 else 'GPUs'} a pod" if count else "on the CPU"
    ready = f"{replicas['ready']} of {replicas['wanted']} replicas ready"
    yield f"  {value['model']}, {gpus}, {ready}"
    if value["fit"] and value["fit"]["verdict"] != "DoesNotFit":
        # That one is the failure itself.
        yield f"  {_FITS[value['fit']['verdict']]}: {value['fit']['message']}"


def status_parts(value: Json, now: datetime) -> Iterator[RenderableType]:
    """The screen."""
    yield from _head(value, now)
    if value["conditions"]:
        yield ""
        held: list[tuple[str, Text, str]] = [
            (each["type"], Text(each["status"], _COLOURS.get(each["status"], "")), each["reason"])
            for each in value["conditions"]
        ]
        yield plain_table(["CONDITION", "STATUS", "REASON"], held)
    if value["pods"]:
        yield ""
        rows = [
            (each["name"], each["state"], str(each["restarts"]), age(each["created"], now))
            for each in value["pods"]
        ]
        yield plain_table(["POD", "STATE", "RESTARTS", "AGE"], rows)
        for each in value["pods"]:
            if each["message"]:
                yield f"  {each['name']}: {each['message']}"
            if each["progress"]:
                yield f"  {each['name']}: {bar(Progress(**each['progress']))}"
    if value["failure"]:
        yield from _failure_parts(value["failure"])
    if value["startup"]:
        took = value["startup"]
        yield ""
        phases = [f"{took[key]} s {words}" for key, words in _PHASES.items() if key in took]
        yield f"the last start took {', '.join(phases)}"
    if value["endpoints"]:
        yield f"endpoint: {value['endpoints'].get('http')}"


def _watch(cluster: Cluster, name: str, output: Format) -> None:
    """Draw anew where a person looks; write what has changed where a program reads."""
    before = None
    while True:
        value = _looked_at(cluster, name)
        text = (
            rendered(status_parts(value, datetime.now(UTC)))
            if output is Format.table
            else document(value, output)
        )
        if sys.stdout.isatty() and output is Format.table:
            write(_HOME_AND_CLEAR + text)
        elif value != before:
            write(text + ("---\n" if output is Format.yaml else ""))
        before = value
        time.sleep(_POLL_SECONDS)


def status(
    name: Name,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C, showing what changes.")
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    output: Output = Format.table,
) -> None:
    """Show one model on one screen: conditions, pods, the last failure and what to do.

    Exit code 1 says that it is not Ready.
    """
    cluster = Cluster(Target(kubeconfig, context, namespace))
    if watch:
        _watch(cluster, name, output)
    value = _looked_at(cluster, name)
    say(value, output, status_parts(value, datetime.now(UTC)))
    if not value["ready"]:
        raise typer.Exit(Exit.NO)


def events(
    name: Name,
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    output: Output = Format.table,
) -> None:
    """List the events of a model, of the objects that the operator made for it, and of its pods."""
    cluster = Cluster(Target(kubeconfig, context, namespace))
    found = cluster.resource(name)
    now = datetime.now(UTC)
    value: list[Json] = [
        {
            "time": event_time(each),
            "type": each.get("type"),
            "reason": each.get("reason"),
            "object": f"{each['involvedObject'].get('kind')}/{each['involvedObject'].get('name')}",
            "count": (each.get("series") or {}).get("count") or each.get("count") or 1,
            "message": str(each.get("message") or each.get("note") or "").strip(),
        }
        for each in events_of(cluster, found, pods_of(cluster, found))
    ]
    rows = [
        (age(e["time"], now), e["type"], e["reason"], e["object"], str(e["count"]), e["message"])
        for e in value
    ]
    columns = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"]
    say(value, output, [plain_table(columns, rows) if rows else "no events"])
