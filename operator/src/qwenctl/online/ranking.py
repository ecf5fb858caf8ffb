"""`qwenctl top`: every model with what it does at this moment."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import typer
from rich.text import Text

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec
from qwen_operator.load import Load, rates, read_load, together
from qwenctl.online.connection import Cluster
from qwenctl.online.kubeconfig import Target
from qwenctl.online.measuring import page
from qwenctl.online.options import Context, Kubeconfig, Namespace
from qwenctl.online.view import condition, is_ready
from qwenctl.output import Format, Output, document, plain_table, rendered, write

Json = dict[str, Any]

_HOME_AND_CLEAR = "\x1b[H\x1b[2J"
_READERS = 16
SORTS = ("tokens", "running", "waiting", "cache", "gpus", "name")


def _pods(cluster: Cluster, namespace: str | None) -> dict[str, list[Json]]:
    """Uid of the resource → its pods that run."""
    inside = "" if namespace is None else f"/namespaces/{namespace}"
    answer = cluster.get(
        "list model pods",
        f"/api/v1{inside}/pods",
        {"labelSelector": naming.MANAGED_SELECTOR, "fieldSelector": "status.phase=Running"},
    )
    found: dict[str, list[Json]] = {}
    for each in answer.get("items") or ():
        uid = (each["metadata"].get("labels") or {}).get(naming.UID_LABEL, "")
        found.setdefault(uid, []).append(each)
    return found


def _loads(cluster: Cluster, pods: dict[str, list[Json]]) -> dict[str, Load]:
    """Uid of the resource → the load of its pods that answer."""
    every = [(uid, each) for uid, held in pods.items() for each in held]
    with ThreadPoolExecutor(_READERS) as readers:
        pages = list(readers.map(lambda one: page(cluster, one[1]), every))
    found: dict[str, list[Load]] = {uid: [] for uid in pods}
    for (uid, _), text in zip(every, pages, strict=True):
        if text is not None:
            found[uid].append(read_load(text))
    return {uid: together(held) for uid, held in found.items()}


def row(resource: Json, now: Load, rates: tuple[float, float] | None) -> Json:
    """One model: what it is, and what it does."""
    spec = resource["spec"]
    status = resource.get("status") or {}
    ready = status.get("readyReplicas") or 0
    per_pod = (spec.get("resources") or {}).get("gpus", 1)
    return {
        "namespace": resource["metadata"]["namespace"],
        "name": resource["metadata"]["name"],
        "ready": is_ready(resource),
        "reason": condition(resource, "Ready").get("reason") or "Pending",
        "replicas": f"{ready}/{0 if spec.get('suspend') else spec.get('replicas', 1)}",
        "gpus": per_pod * (status.get("replicas") or 0),
        "running": now.running if now.pods else None,
        "waiting": now.waiting if now.pods else None,
        "cache": now.cache,
        "promptTokensPerSecond": None if rates is None else round(rates[0], 1),
        "tokensPerSecond": None if rates is None else round(rates[1], 1),
    }


def ordered(rows: list[Json], by: str) -> list[Json]:
    """Largest first; names in order."""
    if by == "name":
        return sorted(rows, key=lambda each: (each["namespace"], each["name"]))
    key = {"tokens": "tokensPerSecond"}.get(by, by)
    return sorted(rows, key=lambda each: (-(each[key] or 0), each["namespace"], each["name"]))


def _shown(value: float | None, form: str = "{:g}") -> str:
    return "-" if value is None else form.format(value)


def table(rows: list[Json]) -> str:
    """The screen."""
    if not rows:
        return f"no {naming.KIND}\n"
    cells = [
        (
            each["namespace"],
            each["name"],
            Text(each["reason"], "green" if each["ready"] else "yellow"),
            each["replicas"],
            str(each["gpus"]),
            _shown(each["running"]),
            _shown(each["waiting"]),
            _shown(each["cache"], "{:.0%}"),
            _shown(each["promptTokensPerSecond"], "{:.0f}"),
            _shown(each["tokensPerSecond"], "{:.0f}"),
        )
        for each in rows
    ]
    columns = ["NAMESPACE", "NAME", "REASON", "READY", "GPUS", "RUNNING", "WAITING", "KV CACHE"]
    return rendered([plain_table([*columns, "TOK/S IN", "TOK/S OUT"], cells)])


def top(
    *,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Models of every namespace.")
    ] = False,
    sort: Annotated[str, typer.Option(help=f"By what: {', '.join(SORTS)}.")] = "tokens",
    seconds: Annotated[
        float, typer.Option(min=0.1, max=60, help="Between two looks, over which rates are taken.")
    ] = 2.0,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    output: Output = Format.table,
) -> None:
    """List models with their load: requests, KV cache, tokens a second, the busiest first.

    The figures are read from each pod's :8002 through the API server, which needs the permission
    to get pods/proxy; where there is none, or a pod does not answer, stands a dash.
    """
    if sort not in SORTS:
        raise InvalidSpec(f"--sort {sort!r}: one of {', '.join(SORTS)} is needed")
    cluster = Cluster(Target(kubeconfig, context, namespace))
    where = None if all_namespaces else cluster.namespace
    before: dict[str, Load] = {}
    looked = 0.0
    first = True
    while first or watch:
        resources = cluster.resources(where)
        if first:
            before, looked = _loads(cluster, _pods(cluster, where)), time.monotonic()
            first = False
        time.sleep(seconds)
        now, at = _loads(cluster, _pods(cluster, where)), time.monotonic()
        rows = []
        for each in resources:
            uid = each["metadata"]["uid"]
            current = now.get(uid, Load())
            rows.append(row(each, current, rates(before.get(uid), current, at - looked)))
        rows = ordered(rows, sort)
        text = table(rows) if output is Format.table else document(rows, output)
        clear = watch and sys.stdout.isatty() and output is Format.table
        write((_HOME_AND_CLEAR if clear else "") + text)
        before, looked = now, at
