"""Names that other parts and other people rely on, each defined once with its meaning."""

import hashlib
import json
import re
from typing import Final, NamedTuple

GROUP: Final = "qwen-operator.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "QwenDeployment"
PLURAL: Final = "qwendeployments"
SINGULAR: Final = "qwendeployment"
SHORT: Final = "qwen"

FIELD_MANAGER: Final = "qwen-operator"
"""Our name in managedFields; server-side apply owns fields by it."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "qwen-operator"
MANAGED_SELECTOR: Final = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
"""Selects every object that the operator made, pods included."""

NAME_LABEL: Final = "app.kubernetes.io/name"
APP: Final = "qwen"
INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
"""The children's common name: at most 63 characters, unique in its namespace."""

UID_LABEL: Final = f"{GROUP}/uid"
"""The uid of the QwenDeployment: a re-created one never selects its predecessor's pods."""

OWNER_ANNOTATION: Final = f"{GROUP}/resource"
"""The full name of the QwenDeployment, which a label is too short to hold."""

CONFIG_HASH_ANNOTATION: Final = f"{GROUP}/config-hash"
"""On pods: which rendering of the model repository they run."""

TEMPLATE_HASH_ANNOTATION: Final = f"{GROUP}/template-hash"
"""On pods: digest of the whole pod template, by which an outdated pod is told from a new one."""

SPEC_HASH_ANNOTATION: Final = f"{GROUP}/spec-hash"
"""On Deployments: digest of the user's spec, without what changes no pod."""

RENDERED_ANNOTATION: Final = f"{GROUP}/rendered"
"""On Deployments: the pod template as it was last rendered, for spec.updatePolicy OnChange."""

RENDERED_BY_ANNOTATION: Final = f"{GROUP}/rendered-by"
"""On Deployments: the version of the operator that rendered it."""

APPLIED_HASH_ANNOTATION: Final = f"{GROUP}/applied-hash"
"""On children: digest of the manifest last applied, so that a removed field is noticed."""

BACKEND_PREFIX: Final = "qwen-backend."
"""Begins the names of ConfigMaps with the backend's source, which all resources of a namespace
share; the digest of the content follows. A resource's own children have no dot in their names."""

CONTAINER: Final = "triton"
"""The serving container of a model pod."""

HTTP_PORT: Final = 8000
GRPC_PORT: Final = 8001
METRICS_PORT: Final = 8002
BACKEND_PORT: Final = 9000
"""Where the backend itself answers: /health, and OpenAI's API."""

API_KEY_VARIABLE: Final = "QWEN_OPENAI_API_KEY"
"""Environment variable in which the backend finds the key of its OpenAI endpoint."""

OPERATOR_PORT: Final = 8080
"""The operator's own /metrics, /healthz, /readyz."""

HEARTBEAT_METRIC: Final = "qwen_engine_heartbeat_timestamp_seconds"
UP_METRIC: Final = "qwen_engine_up"
DOOR_METRIC: Final = "qwen_openai_endpoint_up"

LABEL_LENGTH: Final = 63
_HASH_LENGTH: Final = 8
# Deployment pods get up to 17 more characters; their name is also the hostname, at most 63.
_CHILD_LENGTH: Final = 46
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


class Key(NamedTuple):
    """Which QwenDeployment: what is queued, cached and logged by."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def scraped(port: int) -> dict[str, str]:
    """Annotations by which a Prometheus that looks for them finds a pod's /metrics."""
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)}


def digest(value: object, length: int = 12) -> str:
    """Hex digest of any JSON value: equal values, equal text, on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def child_name(resource: str) -> str:
    """The name that Deployment and Service get: the resource's own wherever a Service allows it.

    A resource's name may have dots, start with a digit or be 253 characters long; a Service's may
    not. Such names are made to fit and carry a digest, so that two never meet.
    """
    if len(resource) <= _CHILD_LENGTH and _SERVICE_NAME.fullmatch(resource):
        return resource
    plain = re.sub(r"[^a-z0-9-]", "-", resource)
    if not plain[:1].isalpha():
        plain = f"q-{plain}"
    head = plain[: _CHILD_LENGTH - _HASH_LENGTH - 1].rstrip("-")
    return f"{head}-{digest(resource, _HASH_LENGTH)}"
