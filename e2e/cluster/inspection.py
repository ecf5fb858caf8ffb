"""Tell how the cluster is, and how to reach it, without changing anything."""

import os
from http import HTTPStatus

from e2e.cluster import api, components, nodes
from e2e.cluster.addresses import ALL_ADDRESSES
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout
from e2e.cluster.lifecycle import PATH, wanted
from e2e.cluster.process import is_alive, read_record


def status(layout: Layout) -> list[tuple[str, str, str]]:
    """Rows of name, pid and state; the state is "ready" or why not."""
    rows = []
    for part in wanted(layout):
        record = read_record(layout.pids / part.name)
        if record is None or not is_alive(record):
            rows.append((part.name, "-", "not started" if record is None else "ended"))
        else:
            state = "ready" if api.is_ready(layout, part.ready) else f"no answer at {part.ready}"
            rows.append((part.name, str(record.pid), state))
    if not layout.bare.exists():
        rows.append(("node", "-", _node_state(layout)))
    return rows


def _node_state(layout: Layout) -> str:
    try:
        node = nodes.read_node(layout)
    except (ClusterError, OSError) as unknown:
        return f"unknown: {unknown}"
    if node is None:
        return "has not joined"
    return "ready" if nodes.is_node_ready(node) else "not ready; see `kubectl describe node`"


def require_running(layout: Layout) -> None:
    """Refuse when there is no cluster to work on."""
    try:
        answered = api.ask(layout, components.kube_apiserver(layout).ready).status
    except OSError:
        answered = 0
    if answered != HTTPStatus.OK:
        raise ClusterError("The cluster is not up. Start it: python -m e2e.cluster up")


def exports(layout: Layout) -> str:
    """Shell lines that point kubectl and helm at the cluster."""
    return (
        f"export KUBECONFIG={layout.admin_kubeconfig}\n"
        f'export NO_PROXY="{ALL_ADDRESSES},${{NO_PROXY:-${{no_proxy:-}}}}"\n'
        f"export PATH={layout.binaries}:{os.environ.get('PATH', PATH)}"
    )
