"""`qwenctl bundle`: one file for a bug report, without secrets and without anybody's words."""

import io
import platform
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from qwen_operator import __version__, naming
from qwen_operator.errors import InvalidSpec, OperatorError
from qwenctl.online.cleaning import clean, clean_text
from qwenctl.online.connection import Cluster
from qwenctl.online.history import history
from qwenctl.online.kubeconfig import Target
from qwenctl.online.measuring import page
from qwenctl.online.members import events_of, pods_of
from qwenctl.online.options import Context, Kubeconfig, Name, Namespace
from qwenctl.output import complain

Json = dict[str, Any]

_CHILDREN = (
    ("deployments", "/apis/apps/v1"),
    ("replicasets", "/apis/apps/v1"),
    ("services", "/api/v1"),
    ("configmaps", "/api/v1"),
    ("horizontalpodautoscalers", "/apis/autoscaling/v2"),
)
_LOG_LINES = "2000"

README = """\
Made by qwenctl {version} for QwenDeployment {name} in namespace {namespace}, at {time}.

Removed: values whose names or forms look like secrets; system prompts, chat templates and whatever
a log line says of a request; Secrets are never read. Look through it before you hand it on: a log
may hold words that no rule knows.

resource.yaml      the QwenDeployment with its status
children/          what the operator made for it
pods/              its pods, their logs (present and previous container) and metrics
events.yaml        events about all of these
history.txt        conditions, containers and events in the order of their times
versions.yaml      of qwenctl, Kubernetes, the nodes that the pods are on
missing.txt        what could not be read, and why
"""


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


class _Bundle:
    """Files by their names, and what could not be had."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.missing: list[str] = []

    def add(self, name: str, read: Callable[[], str]) -> None:
        """A file, or a line that says why there is none."""
        try:
            self.files[name] = read()
        except OperatorError as problem:
            self.missing.append(f"{name}: {problem}")


def _log(cluster: Cluster, pod: Mapping[str, Any], *, previous: bool) -> str:
    metadata = pod["metadata"]
    query = {"container": naming.CONTAINER, "tailLines": _LOG_LINES, "timestamps": "true"}
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
    more = {"previous": "true"} if previous else {}
    text = cluster.text(f"read the log of pod {metadata['name']}", path, {**query, **more})
    return clean_text(text)


def _pod_files(cluster: Cluster, pod: Json, into: _Bundle) -> None:
    folder = f"pods/{pod['metadata']['name']}"
    into.add(f"{folder}/pod.yaml", lambda: _yaml(clean(pod)))
    into.add(f"{folder}/log.txt", lambda: _log(cluster, pod, previous=False))
    restarted = any(
        each.get("restartCount")
        for each in (pod.get("status") or {}).get("containerStatuses") or ()
    )
    if restarted:
        into.add(f"{folder}/previous-log.txt", lambda: _log(cluster, pod, previous=True))
    metrics = page(cluster, pod)
    if metrics is None:
        into.missing.append(
            f"{folder}/metrics.txt: the pod does not answer, or pods/proxy is refused"
        )
    else:
        into.files[f"{folder}/metrics.txt"] = metrics


def _children(cluster: Cluster, resource: Json, plural: str, root: str) -> str:
    metadata = resource["metadata"]
    answer = cluster.get(
        f"list {plural} in namespace {metadata['namespace']}",
        f"{root}/namespaces/{metadata['namespace']}/{plural}",
        {"labelSelector": f"{naming.UID_LABEL}={metadata['uid']}"},
    )
    kind = str(answer.get("kind") or "").removesuffix("List")
    return _yaml([clean({"kind": kind, **each}) for each in answer.get("items") or ()])


def _versions(cluster: Cluster, resource: Json, pods: list[Json]) -> str:
    status = resource.get("status") or {}
    made: Json = {
        "qwenctl": __version__,
        "python": platform.python_version(),
        "renderedBy": status.get("renderedBy"),
        "image": status.get("image"),
        "kubernetes": cluster.get("read the version", "/version"),
    }
    nodes = sorted({str((each.get("spec") or {}).get("nodeName") or "") for each in pods} - {""})
    for name in nodes:
        try:
            node = cluster.get(f"get node {name}", f"/api/v1/nodes/{name}")
        except OperatorError as problem:
            made[f"node {name}"] = str(problem)
            continue
        found = node.get("status") or {}
        made[f"node {name}"] = {key: found.get(key) for key in ("nodeInfo", "allocatable")}
    return _yaml(made)


def collect(cluster: Cluster, name: str) -> dict[str, str]:
    """Every file of the bundle, by its name.

    Raises:
        OperatorError: the resource itself cannot be read.
    """
    resource = cluster.resource(name)
    into = _Bundle()
    into.add("resource.yaml", lambda: _yaml(clean(resource)))
    pods: list[Json] = []
    try:
        pods = pods_of(cluster, resource)
    except OperatorError as problem:
        into.missing.append(f"pods: {problem}")
    for plural, root in _CHILDREN:
        into.add(
            f"children/{plural}.yaml",
            lambda plural=plural, root=root: _children(cluster, resource, plural, root),  # type: ignore[misc]
        )
    for each in pods:
        _pod_files(cluster, each, into)
    events: list[Json] = []
    try:
        events = events_of(cluster, resource, pods)
        into.files["events.yaml"] = _yaml(clean(events))
    except OperatorError as problem:
        into.missing.append(f"events.yaml: {problem}")
    into.add("history.txt", lambda: clean_text(history(resource, pods, events)))
    into.add("versions.yaml", lambda: _versions(cluster, resource, pods))
    into.files["missing.txt"] = "".join(f"{each}\n" for each in into.missing) or "nothing\n"
    into.files["README.txt"] = README.format(
        version=__version__,
        name=name,
        namespace=resource["metadata"]["namespace"],
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    return into.files


def packed(files: Mapping[str, str], folder: str) -> bytes:
    """A tar.gz with the files below one folder."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            content = text.encode()
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            entry.mtime = int(datetime.now(UTC).timestamp())
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def bundle(
    name: Name,
    *,
    into: Annotated[
        Path | None, typer.Option(help="The file; NAME-TIME.tar.gz when left out.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
) -> None:
    """Pack what a bug report needs into one file: resource, children, pods, logs, events, versions.

    Secrets are not read; values that look like secrets, prompts and templates are removed.
    """
    cluster = Cluster(Target(kubeconfig, context, namespace))
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = into or Path(f"{name}-{stamp}.tar.gz")
    if path.exists() and not force:
        raise InvalidSpec(f"{path} exists; --force replaces it")
    files = collect(cluster, name)
    path.write_bytes(packed(files, f"{name}-{stamp}"))
    missing = files["missing.txt"].strip().splitlines()
    complain(f"wrote {path}: {len(files)} files")
    if missing != ["nothing"]:
        complain(f"could not be read, see missing.txt: {len(missing)}")
    complain("look through it before you hand it on: a log may hold words that no rule knows")
