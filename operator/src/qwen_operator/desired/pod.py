"""The pod that serves a model: Triton, its volumes, probes and its place in the cluster."""

from collections.abc import Iterable, Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.api.pod import EnvVar, PodTemplate
from qwen_operator.api.resource import Resource
from qwen_operator.desired.overrides import overridden
from qwen_operator.desired.repository import ADAPTERS, WEIGHTS, Files, Repository, adapter_claims
from qwen_operator.settings import Settings

Json = dict[str, Any]

MODELS = "/models"
REPOSITORY = "repository"
"""The volume with the model's folder."""
CACHE = "/cache"
USER = 65532
# The backend ends within Triton's exit timeout, Triton within the pod's grace period; each may need
# this much beyond what running answers may take.
_ENDING_SECONDS = 15
_PROBE_SECONDS = 5


def image(resource: Resource, settings: Settings) -> str:
    """The image that the pods run."""
    fallback = (
        settings.default_image if resource.spec.resources.gpus else settings.default_cpu_image
    )
    return resource.spec.triton.image or fallback


def server_arguments(resource: Resource) -> list[str]:
    """The command line of the server."""
    triton = resource.spec.triton
    return [
        "tritonserver",
        f"--model-repository={MODELS}",
        "--model-control-mode=explicit",
        f"--load-model={resource.served_name}",
        # Auto-complete would import model.py in one more process.
        "--disable-auto-complete-config",
        # Responses of an instance come one after another: 31 more threads only take turns.
        "--backend-config=python,thread-pool-size=1",
        f"--http-port={naming.HTTP_PORT}",
        f"--grpc-port={naming.GRPC_PORT}",
        f"--metrics-port={naming.METRICS_PORT}",
        f"--exit-timeout-secs={triton.exit_timeout_seconds + _ENDING_SECONDS}",
        f"--log-verbose={triton.log_verbose}",
    ]


def _environment(resource: Resource) -> list[Json]:
    fixed = {
        # The root file system is read-only: whatever caches goes below these two.
        "HOME": "/tmp",  # noqa: S108 - an emptyDir of the pod
        "HF_HOME": CACHE,
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_NO_USAGE_STATS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if resource.spec.resources.gpus == 0:
        fixed["VLLM_CPU_KVCACHE_SPACE"] = str(resource.spec.engine.cpu_kv_cache_space)
    adapters = resource.spec.engine.lora_adapters
    sources = [resource.spec.model.source, *(each.source for each in adapters)]
    if not any(source.startswith("hf://") for source in sources):
        fixed["HF_HUB_OFFLINE"] = "1"
    given = {each.name for each in resource.spec.triton.env}
    made: list[Json] = [
        {"name": name, "value": value} for name, value in fixed.items() if name not in given
    ]
    secrets = {
        "HF_TOKEN": resource.spec.model.token_secret_ref,
        naming.API_KEY_VARIABLE: resource.spec.chat.api_key_secret_ref,
    }
    for name, secret in secrets.items():
        if secret is not None:
            reference = {"name": secret.name, "key": secret.key}
            made.append({"name": name, "valueFrom": {"secretKeyRef": reference}})
    return made + [_variable(each) for each in resource.spec.triton.env]


def _variable(given: EnvVar) -> Json:
    if (secret := given.secret_key_ref) is None:
        return {"name": given.name, "value": given.value or ""}
    reference = {"name": secret.name, "key": secret.key}
    return {"name": given.name, "valueFrom": {"secretKeyRef": reference}}


def _source(files: Files) -> Json:
    items = [{"key": key, "path": path} for key, path in files.paths.items()]
    return {"configMap": {"name": files.name, "items": items}}


def _volumes(resource: Resource, repository: Repository) -> list[Json]:
    model = resource.spec.model
    sources = [_source(repository.own), _source(repository.backend)]
    cache: Json = {"name": "cache", "emptyDir": {}}
    if model.cache is not None:
        cache = {"name": "cache", "persistentVolumeClaim": {"claimName": model.cache.claim_name}}
    made: list[Json] = [
        {"name": REPOSITORY, "projected": {"sources": sources}},
        {"name": "tmp", "emptyDir": {}},
        cache,
        {
            "name": "shm",
            "emptyDir": {
                "medium": "Memory",
                "sizeLimit": resource.spec.triton.shared_memory_size,
            },
        },
    ]
    if model.source.startswith("pvc://"):
        claim = model.source.removeprefix("pvc://").partition("/")[0]
        source = {"claimName": claim, "readOnly": True}
        made.append({"name": "weights", "persistentVolumeClaim": source})
    for number, claim in enumerate(adapter_claims(resource)):
        source = {"claimName": claim, "readOnly": True}
        made.append({"name": f"adapters-{number}", "persistentVolumeClaim": source})
    return made


def _mounts(resource: Resource) -> list[Json]:
    made: list[Json] = [
        {
            "name": REPOSITORY,
            "mountPath": f"{MODELS}/{resource.served_name}",
            "readOnly": True,
        },
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod
        {"name": "cache", "mountPath": CACHE},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - a memory volume of the pod
    ]
    if resource.spec.model.source.startswith("pvc://"):
        made.append({"name": "weights", "mountPath": WEIGHTS, "readOnly": True})
    for number, claim in enumerate(adapter_claims(resource)):
        place = f"{ADAPTERS}/{claim}"
        made.append({"name": f"adapters-{number}", "mountPath": place, "readOnly": True})
    return made


def _requests(resource: Resource) -> Json:
    asked = resource.spec.resources
    requests: Json = {}
    limits: Json = {}
    if asked.cpu is not None:
        requests["cpu"] = asked.cpu
    if asked.memory is not None:
        requests["memory"] = limits["memory"] = asked.memory
    if asked.gpus:
        requests[asked.gpu_resource_name] = limits[asked.gpu_resource_name] = str(asked.gpus)
    made = {"requests": requests, "limits": limits}
    return {kind: amounts for kind, amounts in made.items() if amounts}


def _probe(failures: int) -> Json:
    return {
        "httpGet": {"path": "/health", "port": "backend"},
        "periodSeconds": _PROBE_SECONDS,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _container(resource: Resource, settings: Settings) -> Json:
    load_probes = max(1, resource.spec.triton.load_timeout_seconds // _PROBE_SECONDS)
    ports = (
        ("http", naming.HTTP_PORT),
        ("grpc", naming.GRPC_PORT),
        ("metrics", naming.METRICS_PORT),
        ("backend", naming.BACKEND_PORT),
    )
    return {
        "name": naming.CONTAINER,
        "image": image(resource, settings),
        "imagePullPolicy": resource.spec.triton.image_pull_policy,
        "args": server_arguments(resource),
        "env": _environment(resource),
        "ports": [{"name": name, "containerPort": port} for name, port in ports],
        "resources": _requests(resource),
        "volumeMounts": _mounts(resource),
        "startupProbe": _probe(load_probes),
        "readinessProbe": _probe(1),
        "livenessProbe": _probe(2),
        # Standard error's tail stands in when the backend could not leave a message of its own.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def pod_template(resource: Resource, settings: Settings, repository: Repository) -> Json:
    """The Deployment's pod template.

    Args:
        resource: what to serve.
        settings: the operator's defaults.
        repository: the model's.

    Raises:
        InvalidSpec: spec.podTemplate holds what may not stand there.
    """
    scheduling = resource.spec.scheduling
    triton = resource.spec.triton
    optional: Json = {
        "nodeSelector": dict(scheduling.node_selector),
        "tolerations": [
            each.model_dump(by_alias=True, exclude_none=True) for each in scheduling.tolerations
        ],
        "affinity": scheduling.affinity,
        "priorityClassName": scheduling.priority_class_name,
        "runtimeClassName": scheduling.runtime_class_name,
        "imagePullSecrets": [{"name": name} for name in triton.image_pull_secrets],
    }
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Pause becomes PID 1 and reaps; else the stock image's tritonserver is PID 1 and
        # loses a SIGTERM that comes while the model loads.
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": triton.exit_timeout_seconds + 2 * _ENDING_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(resource, settings)],
        "volumes": _volumes(resource, repository),
        **{name: value for name, value in optional.items() if value},
    }
    more = resource.spec.pod_template or PodTemplate()
    template = {
        "metadata": {
            "labels": {**more.metadata.labels, **labels(resource)},
            "annotations": {
                # Only a wish: a user whose Prometheus finds pods by a PodMonitor may say no.
                **naming.scraped(naming.METRICS_PORT),
                **more.metadata.annotations,
                naming.OWNER_ANNOTATION: resource.key.name,
                naming.CONFIG_HASH_ANNOTATION: repository.hash,
            },
        },
        "spec": overridden(spec, more.spec, unsafe=settings.allow_unsafe_pod_templates),
    }
    template["metadata"]["annotations"][naming.TEMPLATE_HASH_ANNOTATION] = template_hash(template)
    return template


def config_maps(volumes: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the ConfigMaps that volumes of a pod read."""
    found = set()
    for volume in volumes:
        sources: Iterable[Mapping[str, Any]] = (volume.get("projected") or {}).get("sources") or ()
        for each in (volume, *sources):
            if name := (each.get("configMap") or {}).get("name"):
                found.add(str(name))
    return found


def template_hash(template: Json) -> str:
    """Digest of a pod template, without the annotation that carries it."""
    metadata = template["metadata"]
    annotations = {
        key: value
        for key, value in metadata["annotations"].items()
        if key != naming.TEMPLATE_HASH_ANNOTATION
    }
    return naming.digest([metadata["labels"], annotations, template["spec"]])


def selector(resource: Resource) -> dict[str, str]:
    """Labels that select exactly this resource's pods."""
    return {naming.INSTANCE_LABEL: resource.child, naming.UID_LABEL: resource.uid}


def labels(resource: Resource) -> dict[str, str]:
    """Labels of every child."""
    return {
        naming.NAME_LABEL: naming.APP,
        naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
        **selector(resource),
    }
