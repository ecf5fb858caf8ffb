"""What `spec` says of the pods: Triton's container, resources, place, and the way out."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from qwen_operator.api.base import (
    RULES_KEY,
    Annotations,
    Labels,
    ObjectName,
    Part,
    Quantity,
    SecretKeyRef,
    rule,
    text,
)

_OURS_SAID = (
    "labels and annotations below qwen-operator.dev/ and app.kubernetes.io/ are the operator's own;"
    " use a prefix of yours"
)


def _none_of_ours(field: str) -> str:
    return (
        f"!has(self.{field}) || self.{field}.all(k, !k.startsWith('qwen-operator.dev/')"
        " && !k.startsWith('app.kubernetes.io/'))"
    )


class EnvVar(Part):
    """One environment variable of the serving container."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "has(self.value) != has(self.secretKeyRef)",
                    "an environment variable has either a value or a secretKeyRef; give exactly"
                    " one of them",
                ),
                rule(
                    "!has(self.value) || !self.name.matches('(TOKEN|PASSWORD|SECRET|API_KEY)$')",
                    "a variable of this name looks like a secret: put it into a Secret and name"
                    " that in secretKeyRef, since values here are read by whoever may read the"
                    " resource",
                    ".value",
                ),
                rule(
                    "!(self.name in ['HF_TOKEN', 'HF_HOME', 'HOME', 'VLLM_CPU_KVCACHE_SPACE',"
                    " 'VLLM_WORKER_MULTIPROC_METHOD'])",
                    "this variable is the operator's own: HF_TOKEN comes from"
                    " spec.model.tokenSecretRef, HF_HOME from spec.model.cache,"
                    " VLLM_CPU_KVCACHE_SPACE from spec.engine.cpuKvCacheSpace",
                    ".name",
                ),
            ]
        }
    )

    name: Annotated[
        str,
        text(
            r"^[A-Za-z_][A-Za-z0-9_]*$",
            "an environment variable's name holds letters, digits and '_', and no digit first",
            most=128,
        ),
    ]
    """Its name, e.g. VLLM_LOGGING_LEVEL."""

    value: Annotated[str, Field(max_length=4096)] | None = None
    """Its value; $(OTHER) is not expanded."""

    secret_key_ref: SecretKeyRef | None = None
    """Where its value is kept secret."""


class Triton(Part):
    """The server around the engine."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "!has(self.image) || !self.image.contains('://')",
                    "spec.triton.image is named without a scheme, as in"
                    " nvcr.io/nvidia/tritonserver:26.08-vllm-python-py3",
                    ".image",
                ),
                rule(
                    "!has(self.image) || self.image.matches('^[^A-Z]*([:@][^/]*)?$')",
                    "spec.triton.image: a repository's name holds no capital letters (a tag may)",
                    ".image",
                ),
                rule(
                    "!has(self.vllmVersion) || has(self.image)",
                    "spec.triton.vllmVersion tells what an image of yours holds, so it goes with"
                    " spec.triton.image only",
                    ".vllmVersion",
                ),
            ]
        }
    )

    image: (
        Annotated[
            str,
            text(r"^\S+$", "spec.triton.image holds no spaces", most=512),
        ]
        | None
    ) = None
    """Container image with tritonserver, its Python backend and vLLM; the operator's default when
    left out."""

    vllm_version: (
        Annotated[
            str,
            text(
                r"^[0-9]+(\.[0-9]+){1,3}$",
                "spec.triton.vllmVersion is vLLM's version as pip shows it, without a suffix, such"
                " as 0.11.0",
                most=32,
            ),
        ]
        | None
    ) = None
    """Which vLLM an image of yours holds, so that spec.engine is checked against it before any pod
    starts; the names of NVIDIA's images tell it."""

    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When kubelet pulls the image."""

    image_pull_secrets: Annotated[tuple[ObjectName, ...], Field(max_length=8)] = ()
    """Names of pull secrets in this namespace."""

    env: Annotated[
        tuple[EnvVar, ...],
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = ()
    """More environment variables, such as vLLM's own VLLM_…; the names are unique."""

    shared_memory_size: Quantity = "1Gi"
    """Size of /dev/shm, which Triton's Python backend moves tensors through."""

    log_verbose: Annotated[int, Field(ge=0, le=4)] = 0
    """Triton's --log-verbose level."""

    instances: Annotated[int, Field(ge=1, le=8)] = 1
    """Instances of the model in one server (Triton's instance_group count); they share one engine.
    More of them answer more streams evenly, for about 1 GiB of memory and a core each."""

    exit_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long running answers may go on once a pod is told to stop."""

    load_timeout_seconds: Annotated[int, Field(ge=30, le=86400)] = 3600
    """How long a pod may take from container start to a loaded model before it is restarted."""


class Resources(Part):
    """What each pod asks the scheduler for."""

    gpus: Annotated[int, Field(ge=0, le=64)] = 1
    """GPUs per pod; 0 serves on the CPU."""

    gpu_resource_name: Annotated[
        str,
        text(
            r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$",
            "spec.resources.gpuResourceName is an extended resource, such as nvidia.com/gpu or"
            " nvidia.com/mig-3g.40gb",
            most=128,
        ),
    ] = "nvidia.com/gpu"
    """Extended resource that a GPU is asked for by."""

    gpu_product: (
        Annotated[
            str,
            text(
                r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
                "spec.resources.gpuProduct is a GPU's name or memory, such as NVIDIA-L4, H100-80GB"
                " or 24GiB",
                most=63,
            ),
        ]
        | None
    ) = None
    """Which GPU the pods get, so that status.fit can tell whether the model fits: as NVIDIA's GPU
    feature discovery names it (NVIDIA-L4), as `qwenctl fit` does (H100-80GB), or its memory
    (24GiB). It chooses no node: spec.scheduling does, and where that tells, this is not needed."""

    cpu: Quantity | None = None
    """CPU request."""

    memory: Quantity | None = None
    """Memory request and limit."""


class Toleration(Part):
    """A taint that pods do not mind, as in a pod's spec."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "self.operator != 'Exists' || !has(self.value)",
                    "a toleration with operator Exists takes no value; remove the value, or use"
                    " operator Equal",
                    ".value",
                ),
                rule(
                    "has(self.key) || self.operator == 'Exists'",
                    "a toleration without a key tolerates everything and needs operator Exists",
                    ".key",
                ),
                rule(
                    "!has(self.tolerationSeconds) || (has(self.effect)"
                    " && self.effect == 'NoExecute')",
                    "tolerationSeconds goes with effect NoExecute only",
                    ".tolerationSeconds",
                ),
            ]
        }
    )

    key: Annotated[str, Field(min_length=1, max_length=316)] | None = None
    """Key of the taint; without it all taints are meant."""

    operator: Literal["Exists", "Equal"] = "Equal"
    """Whether the taint's value counts."""

    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint."""

    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; all when left out."""

    toleration_seconds: Annotated[int, Field(ge=0, le=31536000)] | None = None
    """How long a NoExecute taint is tolerated."""


class Scheduling(Part):
    """Where pods may run."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "!has(self.nodeSelector) || self.nodeSelector.all(k, k.matches("
                    "'^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'))",
                    "spec.scheduling.nodeSelector: a key is a label's name such as"
                    " nvidia.com/gpu.product; see kubectl get nodes --show-labels",
                    ".nodeSelector",
                )
            ]
        }
    )

    node_selector: Labels = Field(default_factory=dict)
    """Labels that a node must carry."""

    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    """Tolerations, as in a pod's spec."""

    affinity: dict[str, Any] | None = None
    """Affinity, as in a pod's spec."""

    priority_class_name: ObjectName | None = None
    """PriorityClass of the pods."""

    runtime_class_name: ObjectName | None = None
    """RuntimeClass of the pods, e.g. nvidia."""


class PodMetadata(Part):
    """Labels and annotations that pods carry besides the operator's own."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(_none_of_ours("labels"), f"spec.podTemplate.metadata: {_OURS_SAID}"),
                rule(_none_of_ours("annotations"), f"spec.podTemplate.metadata: {_OURS_SAID}"),
            ]
        }
    )

    labels: Labels = Field(default_factory=dict)
    """More labels of the pods."""

    annotations: Annotations = Field(default_factory=dict)
    """More annotations of the pods, e.g. for a service mesh."""


class PodTemplate(Part):
    """The way out: whatever a pod can have and this resource has no field for."""

    metadata: PodMetadata = Field(default_factory=PodMetadata)
    """More labels and annotations."""

    spec: dict[str, Any] = Field(default_factory=dict)
    """Merged into the pod's spec as a strategic merge patch: lists by name, the container that
    serves is called triton. Fields that this resource has, and what would lower the pod's security
    (host namespaces and paths, privileges, another service account), are refused."""
