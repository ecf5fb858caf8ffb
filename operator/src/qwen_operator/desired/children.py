"""Every object that should exist for a QwenDeployment, ready to be applied."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator import __version__, naming
from qwen_operator.api.resource import Resource
from qwen_operator.api.v1alpha1 import Autoscaling
from qwen_operator.desired.arguments import check_arguments
from qwen_operator.desired.pod import image, labels, pod_template, selector
from qwen_operator.desired.repository import repository
from qwen_operator.settings import Settings

Json = dict[str, Any]

_LIVE = {"replicas", "autoscaling", "rollout", "service", "suspend", "update_policy"}
"""Fields of the spec that no pod sees."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What should exist.

    Attributes:
        children: manifests in the order in which they are applied: what pods need comes first.
        config_hash: the rendering of the model repository that pods should run.
        template_hash: the pod template that pods should be made from.
        newest_hash: the pod template as this operator renders it; another one than template_hash
            where spec.updatePolicy holds pods back.
        image: the image that pods should run.
        rendered_by: the version of the operator that rendered the pod template.
        kept: (kind, name) of children that are not rendered anew and must stay.
    """

    children: tuple[Json, ...]
    config_hash: str
    template_hash: str
    newest_hash: str
    image: str
    rendered_by: str = __version__
    kept: frozenset[tuple[str, str]] = frozenset()

    @property
    def deployment(self) -> Json:
        """The Deployment among the children."""
        return next(each for each in self.children if each["kind"] == "Deployment")


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
    wish = resource.spec.service
    metadata = _metadata(resource, resource.child)
    ports = (("http", naming.HTTP_PORT), ("grpc", naming.GRPC_PORT))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            **metadata,
            "annotations": {**wish.annotations, **metadata["annotations"]},
        },
        "spec": {
            **({"loadBalancerClass": wish.load_balancer_class} if wish.load_balancer_class else {}),
            "type": wish.type,
            "selector": selector(resource),
            "ports": [
                {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
                for name, port in (*ports, ("metrics", naming.METRICS_PORT))
            ],
        },
    }


def _spec_hash(resource: Resource) -> str:
    """Digest of what the user wrote, as far as it concerns pods.

    Without defaults: a later version may have others, or more fields, and the user changed nothing.
    """
    written = resource.spec.model_dump(mode="json", exclude=_LIVE, exclude_defaults=True)
    return naming.digest(written)


def _autoscaler(resource: Resource, bounds: Autoscaling) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": resource.child}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(resource, resource.child),
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": bounds.min_replicas,
            "maxReplicas": bounds.max_replicas,
            "metrics": [dict(each) for each in bounds.metrics or ()],
        },
    }


def _deployment(resource: Resource, template: Json) -> Json:
    rollout = resource.spec.rollout
    metadata = _metadata(resource, resource.child)
    stamps = {
        naming.SPEC_HASH_ANNOTATION: _spec_hash(resource),
        naming.RENDERED_ANNOTATION: json.dumps(template, sort_keys=True),
        naming.RENDERED_BY_ANNOTATION: __version__,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, "annotations": {**metadata["annotations"], **stamps}},
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

    Raises:
        InvalidSpec: the spec asks for what this operator does not allow.
    """
    check_arguments(resource, image(resource, settings))
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
    children = [config_map, _service(resource), _deployment(resource, template)]
    bounds = resource.spec.autoscaling
    if bounds is not None and bounds.metrics is not None:
        children.append(_autoscaler(resource, bounds))
    template_hash = template["metadata"]["annotations"][naming.TEMPLATE_HASH_ANNOTATION]
    return Desired(
        children=tuple(children),
        config_hash=rendered.hash,
        template_hash=template_hash,
        newest_hash=template_hash,
        image=image(resource, settings),
    )


def with_applied_hash(manifest: Json) -> Json:
    """The manifest with a digest of itself as an annotation, by which a removed field is seen."""
    metadata = manifest["metadata"]
    annotations = {
        **metadata.get("annotations", {}),
        naming.APPLIED_HASH_ANNOTATION: naming.digest(manifest),
    }
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}
