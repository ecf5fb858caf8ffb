"""Reading a pod's :8002 through the API server."""

from collections.abc import Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.errors import OperatorError
from qwenctl.online.connection import Cluster


def page(cluster: Cluster, pod: Mapping[str, Any]) -> str | None:
    """A pod's metrics page, or None where it does not answer."""
    metadata = pod["metadata"]
    path = (
        f"/api/v1/namespaces/{metadata['namespace']}/pods"
        f"/{metadata['name']}:{naming.METRICS_PORT}/proxy/metrics"
    )
    try:
        return cluster.text(f"read the metrics of pod {metadata['name']}", path)
    except OperatorError:
        return None
