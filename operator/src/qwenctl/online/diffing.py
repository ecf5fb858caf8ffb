"""`qwenctl diff`: a file against what is live, and what applying it would do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec
from qwenctl.checks.findings import dotted
from qwenctl.documents import documents, is_ours
from qwenctl.errors import Missing
from qwenctl.exits import Exit
from qwenctl.files import read_body, read_text
from qwenctl.online.change import Effect, effect
from qwenctl.online.connection import Cluster
from qwenctl.online.kubeconfig import Target
from qwenctl.online.members import pods_of
from qwenctl.online.options import Context, Kubeconfig, Namespace
from qwenctl.output import Format, Output, say
from qwenctl.rendering import backend_files

Json = dict[str, Any]


def _shown(value: object) -> str:
    return "(not set)" if value is None else json.dumps(value, ensure_ascii=False)


def _value(name: str, found: Effect | None) -> Json:
    if found is None:
        return {"name": name, "creates": True, "changes": [], "actions": ["it is created"]}
    return {
        "name": name,
        "creates": False,
        "refused": list(found.refused),
        "changes": [
            {
                "field": dotted(each.where),
                "before": each.before,
                "after": each.after,
                "restartsPods": each.restarts,
            }
            for each in found.changes
        ],
        "actions": list(found.actions),
    }


def _parts(value: Json) -> Iterator[RenderableType]:
    yield Text.assemble((value["name"], "bold"))
    for each in value.get("refused", ()):
        yield Text.assemble("  ", ("would be refused", "red"), f": {each}")
    for each in value["changes"]:
        yield Text.assemble(
            f"  {each['field']}: ",
            (_shown(each["before"]), "red"),
            " → ",
            (_shown(each["after"]), "green"),
            "  (replaces pods)" if each["restartsPods"] else "",
        )
    if not value["changes"] and not value["creates"]:
        yield "  no difference"
    for each in value["actions"]:
        yield f"  then {each}"


def diff(
    file: Annotated[Path, typer.Argument(help="A YAML file; - is standard input.")],
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    output: Output = Format.table,
) -> None:
    """Compare a file with what is live, and say what applying it would do: which pods, and why.

    Exit code 1 says that there is a difference. Pods that the operator holds back
    (spec.updatePolicy) may differ for other reasons, which `qwenctl status` lists.
    """
    cluster = Cluster(Target(kubeconfig, context, namespace))
    values = []
    for document in documents(read_text(file), str(file)):
        if not is_ours(document.body):
            continue
        wanted = read_body(document, str(file), cluster.namespace)
        cluster.namespace = wanted.key.namespace
        try:
            live = cluster.resource(wanted.key.name)
        except Missing:
            values.append(_value(wanted.key.name, None))
            continue
        pods = len(pods_of(cluster, live))
        found = effect(live, document.body, backend_files(), pods)
        values.append(_value(wanted.key.name, found))
    if not values:
        raise InvalidSpec(f"{file} holds no {naming.KIND}")
    parts = [part for each in values for part in _parts(each)]
    say(values, output, parts)
    if any(each["changes"] or each["creates"] for each in values):
        raise typer.Exit(Exit.NO)
