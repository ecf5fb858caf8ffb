"""Every object that should exist for a QwenDeployment, ready to be applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import Resource
from qwen_operator.desired.pod import image, labels, pod_template, selector
from qwen_operator.desired.repository import repository
from qwen_operator.settings import Settings

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desired:
    """What should exist.

    Attributes:
        children: manifests in the order in which they are applied: what pods need comes first.
        config_hash: the rendering of the model repository that pods should run.
        template_hash: the pod template that pods should be made from.
        image: the image that pods should run.
    """

    children: tuple[Json, ...]
    config_hash: str
    template_hash: str
    image: str


def _metadata(resource: Resource, name: str) -> Json:
    return {
        "name": name,
        "namespace": resource.key.namespace,
        "labels": labels(resource),
        "annotations": {naming.OWNER_ANNOTATION: resource.key.name},
        "ownerReferences": [
            {
                "apiVersion": naming.API_VERSION,
                "kind": naming.KIND,
                "name": resource.key.name,
                "uid": resource.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def _service(resource: Resource) -> Json:
    ports = (("http", naming.HTTP_PORT), ("grpc", naming.GRPC_PORT))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(resource, resource.child),
        "spec": {
            "type": resource.spec.service.type,
            "selector": selector(resource),
            "ports": [
                {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
                for name, port in (*ports, ("metrics", naming.METRICS_PORT))
            ],
        },
    }


def _deployment(resource: Resource, template: Json) -> Json:
    rollout = resource.spec.rollout
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(resource, resource.child),
        "spec": {
            "replicas": 0 if resource.spec.suspend else resource.spec.replicas,
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": resource.spec.triton.load_timeout_seconds + 600,
            "selector": {"matchLabels": selector(resource)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxSurge": rollout.max_surge,
                    "maxUnavailable": rollout.max_unavailable,
                },
            },
            "template": template,
        },
    }


def desired(resource: Resource, settings: Settings, backend: Mapping[str, str]) -> Desired:
    """Compute every child of a resource; the same resource gives the same bytes.

    Args:
        resource: what to serve.
        settings: the operator's defaults.
        backend: file name → content of the package that runs inside Triton.
    """
    rendered = repository(resource, backend)
    config_map_name = f"{resource.child}-{rendered.hash}"
    config_map: Json = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(resource, config_map_name),
        # A pod that restarts its container must find what it was made with.
        "immutable": True,
        "data": dict(rendered.files),
    }
    template = pod_template(resource, settings, (rendered, config_map_name))
    children = (config_map, _service(resource), _deployment(resource, template))
    template_hash = template["metadata"]["annotations"][naming.TEMPLATE_HASH_ANNOTATION]
    return Desired(children, rendered.hash, template_hash, image(resource, settings))


def with_applied_hash(manifest: Json) -> Json:
    """The manifest with a digest of itself as an annotation, by which a removed field is seen."""
    metadata = manifest["metadata"]
    annotations = {
        **metadata.get("annotations", {}),
        naming.APPLIED_HASH_ANNOTATION: naming.digest(manifest),
    }
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}
