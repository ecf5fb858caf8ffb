"""Every object that should exist for a QwenDeployment, ready to be applied."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import orjson

from qwen_operator import __version__, naming
from qwen_operator.api.resource import Resource
from qwen_operator.api.v1alpha1 import Autoscaling
from qwen_operator.desired.arguments import check_allowed, check_arguments
from qwen_operator.desired.pod import image, labels, pod_template, selector
from qwen_operator.desired.repository import Files, repository
from qwen_operator.settings import Settings

Json = dict[str, Any]

_LIVE: dict[str, Any] = {
    **dict.fromkeys(("replicas", "autoscaling", "rollout", "service", "suspend"), True),
    "update_policy": True,
    "engine": {"skip_fit_check": True},
    "resources": {"gpu_product": True},
}
"""Fields of the spec that no pod sees."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What should exist.

    Attributes:
        children: manifests in the order in which they are applied: what pods need comes first.
        backend: the ConfigMap with the backend's source, which all resources of the namespace
            share; None where pods are held back at one that exists.
        config_hash: the rendering of the model repository that pods should run.
        template_hash: the pod template that pods should be made from.
        newest_hash: the pod template as this operator renders it; another one than template_hash
            where spec.updatePolicy holds pods back.
        image: the image that pods should run.
        rendered_by: the version of the operator that rendered the pod template.
        kept: (kind, name) of children that are not rendered anew and must stay.
    """

    children: tuple[Json, ...]
    backend: Json | None
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
    ports = [
        ("http", naming.HTTP_PORT, "http"),
        ("grpc", naming.GRPC_PORT, "grpc"),
        ("metrics", naming.METRICS_PORT, "metrics"),
    ]
    if resource.spec.chat.api_key_secret_ref is not None:
        # Without a key the endpoint is for whoever may reach the pod itself.
        ports.append(("openai", naming.BACKEND_PORT, "backend"))
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
                {"name": name, "port": port, "targetPort": target, "protocol": "TCP"}
                for name, port, target in ports
            ],
        },
    }


def _spec_hash(resource: Resource) -> str:
    """Digest of what the user wrote, as far as it concerns pods.

    Without defaults: a later version may have others, or more fields, and the user changed nothing.
    """
    written = resource.spec.model_dump(mode="json", exclude=_LIVE, exclude_defaults=True)
    # What the image holds is only told, not changed, by it.
    triton = {key: each for key, each in written.pop("triton", {}).items() if key != "vllm_version"}
    written |= {"triton": triton} if triton else {}
    # A part of which nothing else was written is as good as none.
    unwritten = [name for name in ("engine", "resources") if written.get(name) == {}]
    return naming.digest({name: written[name] for name in written if name not in unwritten})


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


def _config_map(metadata: Json, files: Files) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        # A pod that restarts its container must find what it was made with.
        "immutable": True,
        "data": dict(files.data),
    }


def _backend(namespace: str, files: Files) -> Json:
    """Nobody's child: it stays while any resource or pod of the namespace uses it."""
    metadata = {
        "name": files.name,
        "namespace": namespace,
        "labels": {
            naming.NAME_LABEL: naming.APP,
            naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
        },
    }
    return _config_map(metadata, files)


def desired(resource: Resource, settings: Settings, backend: Files) -> Desired:
    """Compute every child of a resource; the same resource gives the same bytes.

    Args:
        resource: what to serve.
        settings: the operator's defaults.
        backend: the package that runs inside Triton, from `repository.backend_files`.

    Raises:
        InvalidSpec: the spec asks for what this operator does not allow, or the image's vLLM does
            not take.
    """
    made = rendered(resource, settings, backend)
    check_arguments(resource, made.image)
    return made


def rendered(resource: Resource, settings: Settings, backend: Files) -> Desired:
    """As `desired`, without a look at what the image's vLLM takes.

    Raises:
        InvalidSpec: the spec asks for what this operator does not allow.
    """
    check_allowed(resource, settings, image(resource, settings))
    files = repository(resource, backend)
    config_map = _config_map(_metadata(resource, files.own.name), files.own)
    template = pod_template(resource, settings, files)
    children = [config_map, _service(resource), _deployment(resource, template)]
    bounds = resource.spec.autoscaling
    if bounds is not None and bounds.metrics is not None:
        children.append(_autoscaler(resource, bounds))
    template_hash = template["metadata"]["annotations"][naming.TEMPLATE_HASH_ANNOTATION]
    return Desired(
        children=tuple(children),
        backend=_backend(resource.key.namespace, backend),
        config_hash=files.hash,
        template_hash=template_hash,
        newest_hash=template_hash,
        image=image(resource, settings),
    )


def _fingerprint(manifest: Json) -> str:
    """Digest of a whole manifest, of whose text nothing is asked but to be the same twice."""
    try:
        text = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Not everything that YAML can say, as an integer of more than 64 bits.
        text = json.dumps(manifest, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:12]


def with_applied_hash(manifest: Json) -> Json:
    """The manifest with a digest of itself as an annotation, by which a removed field is seen."""
    metadata = manifest["metadata"]
    annotations = {
        **metadata.get("annotations", {}),
        naming.APPLIED_HASH_ANNOTATION: _fingerprint(manifest),
    }
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}
