"""Two secrets of the suites, made up anew for each run, and everywhere that they must not be."""

import base64
import json
import secrets as random
from collections.abc import Iterator
from typing import Any

from e2e.stack import clients
from e2e.stack.commands import CommandError, apply, get, kubectl
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE

DOOR = {"name": "door", "key": "key"}
HUB = {"name": "hub", "key": "token"}
VALUES = {
    "door": f"door-{random.token_hex(12)}",
    "hub": f"hf_{random.token_hex(12)}",
}
_OBJECTS = (
    "configmaps,events,services,deployments,replicasets,pods,leases,endpointslices,"
    "qwendeployments,controllerrevisions"
)


def make_secrets(namespace: str) -> None:
    """Create both Secrets."""
    for reference in (DOOR, HUB):
        name, key = reference["name"], reference["key"]
        apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "stringData": {key: VALUES[name]},
            },
            namespace=namespace,
        )


def forms(value: str) -> set[str]:
    """How a secret may be written: as it is, and in base64 at any offset in a longer text."""
    raw = value.encode()
    shifted = (base64.b64encode(b"\0" * pad + raw).decode() for pad in range(3))
    # The first and last characters of base64 mix with what stands beside.
    return {value, *(each[4:-4] for each in shifted)}


def _logs(pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    for options in ((), ("--previous",)):
        try:
            text = kubectl("logs", "-n", namespace, name, "--all-containers", *options)
        except CommandError:
            continue  # no earlier container, or none yet
        yield f"log of {namespace}/{name} {' '.join(options)}", text


def _metrics(pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    port = pod["metadata"].get("annotations", {}).get("prometheus.io/port")
    if port and pod["status"].get("podIP"):
        try:
            yield (
                f"metrics of {pod['metadata']['name']}",
                clients.page(f"http://{pod['status']['podIP']}:{port}/metrics"),
            )
        except OSError:
            return  # it does not listen yet


def everywhere(namespace: str) -> Iterator[tuple[str, str]]:
    """(what it is, its text) of all that others may read of the operator and its models."""
    for place in (namespace, OPERATOR_NAMESPACE):
        for each in get(_OBJECTS, "-n", place)["items"]:
            yield f"{each['kind']} {place}/{each['metadata']['name']}", json.dumps(each)
        for pod in get("pods", "-n", place)["items"]:
            yield from _logs(pod)
            yield from _metrics(pod)
