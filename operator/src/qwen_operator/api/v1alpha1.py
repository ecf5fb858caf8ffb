"""QwenDeployment, version v1alpha1: what a user may write in `spec`."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from qwen_operator.api.base import (
    RULES_KEY,
    ObjectName,
    Part,
    Quantity,
    SecretKeyRef,
    rule,
)

MAX_TOKENS_FIELD = 10_000_000
Labels = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)]


class ModelCache(Part):
    """Where downloaded weights are kept between pods."""

    claim_name: ObjectName
    """A PersistentVolumeClaim of this namespace, mounted writable as the Hugging Face cache."""


class Model(Part):
    """Which weights to serve, and under which name."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "self.source.startsWith('hf://') || !has(self.revision)",
                    "spec.model.revision names a revision on the Hugging Face hub, so it goes with"
                    " an hf:// source only; remove it, or use hf://org/name",
                    ".revision",
                ),
                rule(
                    "self.source.startsWith('hf://') || !has(self.tokenSecretRef)",
                    "spec.model.tokenSecretRef is sent to the Hugging Face hub, so it goes with an"
                    " hf:// source only; remove it, or use hf://org/name",
                    ".tokenSecretRef",
                ),
                rule(
                    "self.source.startsWith('hf://') || !has(self.cache)",
                    "spec.model.cache keeps what is downloaded, so it goes with an hf:// source"
                    " only; a pvc:// source is served from where it lies",
                    ".cache",
                ),
                rule(
                    "!self.source.contains('/../') && !self.source.endsWith('/..')"
                    " && !self.source.contains('/./') && !self.source.endsWith('/.')",
                    "spec.model.source may not hold '.' or '..' segments; write the plain path"
                    " inside the volume",
                    ".source",
                ),
            ]
        }
    )

    source: Annotated[
        str,
        Field(
            min_length=8,
            max_length=512,
            pattern=r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
            r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[A-Za-z0-9._-]+)*)$",
        ),
    ]
    """Where the weights come from: hf://org/name (the Hugging Face hub) or pvc://claim/path (a
    folder on a PersistentVolumeClaim of this namespace, mounted read-only)."""

    revision: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Branch, tag or commit on the hub; the repository's default branch when left out."""

    served_name: (
        Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
        | None
    ) = None
    """The model's name in Triton's URLs, e.g. vllm_qwen1.5-1.8b-chat; the resource's own name when
    left out."""

    token_secret_ref: SecretKeyRef | None = None
    """Hugging Face access token for private or gated models."""

    cache: ModelCache | None = None
    """Keeps downloaded weights; without it every pod downloads them anew."""


class Chat(Part):
    """How a prompt and its history become the text that the model sees."""

    system_prompt: Annotated[str, Field(max_length=32768)] = "You are a helpful assistant."
    """System message of requests that bring none in their history."""

    template: Annotated[str, Field(min_length=1, max_length=65536)] | None = None
    """A Jinja chat template that replaces the model's own."""


class Engine(Part):
    """vLLM's engine arguments; together they become model.json."""

    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] = "auto"
    """Type of weights and activations; auto takes the one that the weights were saved in."""

    gpu_memory_utilization: Annotated[float, Field(ge=0.05, le=1)] = 0.9
    """Share of a GPU's memory that vLLM may take for weights, activations and KV cache."""

    max_model_len: Annotated[int, Field(ge=1, le=MAX_TOKENS_FIELD)] | None = None
    """Longest prompt plus answer in tokens; what the model's config says when left out."""

    enforce_eager: bool = False
    """Run without CUDA graphs: less memory and a quicker start, slower answers."""

    tensor_parallel_size: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs of one pod that share each layer."""

    pipeline_parallel_size: Annotated[int, Field(ge=1, le=64)] = 1
    """Groups of GPUs of one pod that share the layers among them."""

    quantization: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """vLLM's name of the weights' quantisation; found from the model's config when left out."""

    kv_cache_dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2", "bfloat16", "float16"] = "auto"
    """Type of the KV cache; auto is the model's dtype."""

    max_num_seqs: Annotated[int, Field(ge=1, le=16384)] | None = None
    """Most requests that one engine step works on; vLLM's default when left out."""

    enable_prefix_caching: bool | None = None
    """Reuse the KV cache of equal prompt beginnings; vLLM's default when left out."""

    cpu_kv_cache_space: Annotated[int, Field(ge=1, le=1024)] = 1
    """GiB of main memory for the KV cache where no GPU is asked for."""

    extra_args: Annotated[dict[str, Any], Field(max_length=128)] = Field(default_factory=dict)
    """Any other AsyncEngineArgs key of the image's vLLM, in its own snake_case spelling."""


class Triton(Part):
    """The server around the engine."""

    image: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^\S+$")] | None = None
    """Container image with tritonserver, its Python backend and vLLM; the operator's default when
    left out."""

    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When kubelet pulls the image."""

    image_pull_secrets: Annotated[tuple[ObjectName, ...], Field(max_length=8)] = ()
    """Names of pull secrets in this namespace."""

    shared_memory_size: Quantity = "1Gi"
    """Size of /dev/shm, which Triton's Python backend moves tensors through."""

    log_verbose: Annotated[int, Field(ge=0, le=4)] = 0
    """Triton's --log-verbose level."""

    exit_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long running answers may go on once a pod is told to stop."""

    load_timeout_seconds: Annotated[int, Field(ge=30, le=86400)] = 3600
    """How long a pod may take from container start to a loaded model before it is restarted."""


class Resources(Part):
    """What each pod asks the scheduler for."""

    gpus: Annotated[int, Field(ge=0, le=64)] = 1
    """GPUs per pod; 0 serves on the CPU."""

    gpu_resource_name: Annotated[
        str, Field(max_length=128, pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$")
    ] = "nvidia.com/gpu"
    """Extended resource that a GPU is asked for by."""

    cpu: Quantity | None = None
    """CPU request."""

    memory: Quantity | None = None
    """Memory request and limit."""


class Rollout(Part):
    """How pods are replaced when their configuration changes."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "self.maxSurge > 0 || self.maxUnavailable > 0",
                    "spec.rollout.maxSurge and spec.rollout.maxUnavailable cannot both be 0: no pod"
                    " could ever be replaced; set one of them to 1",
                )
            ]
        }
    )

    max_surge: Annotated[int, Field(ge=0, le=1000)] = 0
    """Pods started beyond spec.replicas; each needs free GPUs of its own, hence 0."""

    max_unavailable: Annotated[int, Field(ge=0, le=1000)] = 1
    """Pods that may be missing meanwhile."""


class Scheduling(Part):
    """Where pods may run."""

    node_selector: Labels = Field(default_factory=dict)
    """Labels that a node must carry."""

    tolerations: Annotated[tuple[dict[str, Any], ...], Field(max_length=32)] = ()
    """Tolerations, as in a pod's spec."""

    affinity: dict[str, Any] | None = None
    """Affinity, as in a pod's spec."""

    priority_class_name: ObjectName | None = None
    """PriorityClass of the pods."""

    runtime_class_name: ObjectName | None = None
    """RuntimeClass of the pods, e.g. nvidia."""


class Service(Part):
    """The Service in front of the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Service type."""


class Spec(Part):
    """What should be served."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "self.resources.gpus == 0 || self.engine.tensorParallelSize *"
                    " self.engine.pipelineParallelSize == self.resources.gpus",
                    "spec.engine.tensorParallelSize x spec.engine.pipelineParallelSize must equal"
                    " spec.resources.gpus: every GPU of a pod takes part in the engine; change one"
                    " of the three",
                ),
                rule(
                    "self.resources.gpus > 0 || self.engine.tensorParallelSize *"
                    " self.engine.pipelineParallelSize == 1",
                    "with spec.resources.gpus 0 (serving on the CPU)"
                    " spec.engine.tensorParallelSize and spec.engine.pipelineParallelSize must"
                    " be 1",
                ),
            ]
        }
    )

    model: Model
    chat: Chat = Field(default_factory=Chat)
    engine: Engine = Field(default_factory=Engine)
    triton: Triton = Field(default_factory=Triton)
    resources: Resources = Field(default_factory=Resources)
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """How many pods serve the model."""

    rollout: Rollout = Field(default_factory=Rollout)
    scheduling: Scheduling = Field(default_factory=Scheduling)
    service: Service = Field(default_factory=Service)
    suspend: bool = False
    """Stop all pods and free their GPUs, keeping everything else; set to false to serve again."""
