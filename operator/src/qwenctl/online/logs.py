"""`qwenctl logs`: what the pods of a model wrote."""

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec, OperatorError
from qwenctl.online.connection import Cluster
from qwenctl.online.kubeconfig import Target
from qwenctl.online.members import pods_of
from qwenctl.online.options import Context, Kubeconfig, Name, Namespace
from qwenctl.output import Format, Output, write

Json = dict[str, Any]


def _log_path(body: Mapping[str, Any]) -> str:
    metadata = body["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"


def _follow(cluster: Cluster, pods: list[Json], query: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Lines of several pods as they come, until the last has ended."""
    coming: queue.Queue[tuple[str, str] | OperatorError | None] = queue.Queue()

    def read(body: Json) -> None:
        name = body["metadata"]["name"]
        try:
            request = ("GET", _log_path(body), None)
            for line in cluster.lines(f"follow the log of pod {name}", request, query):
                coming.put((name, line))
        except OperatorError as problem:
            coming.put(problem)
        coming.put(None)

    for each in pods:
        threading.Thread(target=read, args=(each,), daemon=True).start()
    ended = 0
    while ended < len(pods):
        found = coming.get()
        if isinstance(found, OperatorError):
            raise found
        if found is None:
            ended += 1
        else:
            yield found


def _written(pod: str, line: str, form: Format, *, many: bool) -> str:
    """One line, with its pod where there are several."""
    if form is Format.table:
        return f"{pod}: {line}\n" if many else f"{line}\n"
    held = json.dumps({"pod": pod, "line": line}, ensure_ascii=False)
    # An item of a list, in YAML's own JSON.
    return f"{held}\n" if form is Format.json else f"- {held}\n"


def logs(
    name: Name,
    *,
    pod_name: Annotated[str | None, typer.Option("--pod", help="Only of this pod.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of the container that ended before.")
    ] = False,
    tail: Annotated[int, typer.Option(min=0, help="Last lines of each pod.")] = 200,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    output: Output = Format.table,
) -> None:
    """Write what Triton and vLLM wrote, of every pod of a model.

    With -o json each line becomes an object on a line of its own.
    """
    cluster = Cluster(Target(kubeconfig, context, namespace))
    found = pods_of(cluster, cluster.resource(name))
    if pod_name is not None:
        names = [each["metadata"]["name"] for each in found]
        found = [each for each in found if each["metadata"]["name"] == pod_name]
        if not found:
            raise InvalidSpec(f"{name} has no pod {pod_name}; it has {', '.join(names) or 'none'}")
    if not found:
        write("no pods\n" if output is Format.table else "")
        return
    query = {"container": naming.CONTAINER, "tailLines": str(tail)}
    many = len(found) > 1
    if follow:
        for of, line in _follow(cluster, found, {**query, "follow": "true"}):
            write(_written(of, line, output, many=many))
        return
    if previous:
        query["previous"] = "true"
    for each in found:
        of = each["metadata"]["name"]
        text = cluster.text(f"read the log of pod {of}", _log_path(each), query)
        lines = text.splitlines()
        write("".join(_written(of, line, output, many=many) for line in lines))
