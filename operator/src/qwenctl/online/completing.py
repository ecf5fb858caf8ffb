"""What the shell offers from cluster and kubeconfig; nothing where they do not answer."""

from typing import Any

import typer

from qwen_operator.errors import OperatorError
from qwenctl.online.connection import Cluster
from qwenctl.online.kubeconfig import Target, contexts_of


def _target(given: dict[str, Any]) -> Target:
    return Target(given.get("kubeconfig"), given.get("context"), given.get("namespace"))


def resource_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """QwenDeployments of the namespace that the line names, or the context."""
    try:
        cluster = Cluster(_target(ctx.params))
        found = cluster.resources(cluster.namespace)
    except OperatorError:
        return []
    names = (str(each["metadata"]["name"]) for each in found)
    return [each for each in names if each.startswith(incomplete)]


def context_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Contexts of the kubeconfig."""
    try:
        found = contexts_of(_target(ctx.params))
        return [each for each in found if each.startswith(incomplete)]
    except OperatorError:
        return []
