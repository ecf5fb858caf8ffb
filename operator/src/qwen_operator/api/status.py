"""QwenDeployment, version v1alpha1: what the operator reports in `status`."""

from typing import Annotated, Literal

from pydantic import Field

from qwen_operator.api.base import Part, Quantity


class Condition(Part):
    """One aspect of the resource, as Kubernetes' API conventions define conditions."""

    type: Annotated[str, Field(max_length=316)]
    """Accepted, Progressing, Available or Ready."""

    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""

    observed_generation: int
    """metadata.generation that this speaks of."""

    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When status last changed."""

    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why, in one CamelCase word."""

    message: Annotated[str, Field(max_length=32768)]
    """Why, and what to do next, for a person."""


class Failure(Part):
    """The most telling failure at present."""

    reason: str
    """Why, in one CamelCase word; the same as the Ready condition's."""

    pod: str | None = None
    """Pod that it was seen on."""

    message: str
    """What was seen."""

    log_line: str | None = None
    """The line of the container's own output that says it best."""

    suggestion: str
    """What to do next."""


class Startup(Part):
    """How long the pod that became ready last took: the phases sum to ready minus created."""

    pod: str
    """The pod."""

    scheduled_seconds: Annotated[int, Field(ge=0)]
    """From its creation until a node was found."""

    pulled_seconds: Annotated[int, Field(ge=0)]
    """From there until its container's process was started: image, volumes, earlier attempts."""

    downloaded_seconds: Annotated[int, Field(ge=0)] | None = None
    """Of the time since then, what the download of the weights took; left out where there was none,
    or the backend did not tell."""

    loaded_seconds: Annotated[int, Field(ge=0)]
    """Of it, what else the model needed: importing vLLM, loading the weights, warming up; all until
    it was ready where the backend did not tell."""

    ready_seconds: Annotated[int, Field(ge=0)] | None = None
    """From there until kubelet called it ready: Triton opens its ports, a probe sees it; left out
    where the backend did not tell."""


class Download(Part):
    """The weights that a pod downloads at the moment."""

    pod: str
    """The pod; of several that download, the first by name."""

    bytes: Annotated[int, Field(ge=0)]
    """What it has, to the last twentieth of all, or GiB where that is not known."""

    total_bytes: Annotated[int, Field(ge=0)] | None = None
    """All of it, as the model's index says; left out where the model has none, being one file."""


class Endpoints(Part):
    """Where the model answers inside the cluster."""

    http: str
    """Triton's generate URL; append _stream for streaming."""

    grpc: str
    """Triton's gRPC address."""

    metrics: str
    """Prometheus metrics of one of the pods."""


class FitMemory(Part):
    """How vLLM would divide the memory of the GPU that has most to hold."""

    total: Quantity
    """What the GPU has; of a pod without one, its memory limit, or what it needs."""

    share: Quantity
    """What of it vLLM may take: spec.engine.gpuMemoryUtilization."""

    weights: Quantity
    """The model's weights."""

    activations: Quantity
    """What computing takes at its peak."""

    other: Quantity
    """CUDA's and NCCL's own, and CUDA graphs as far as they are taken from the share."""

    kv_cache: Quantity
    """What is left for the KV cache."""


class FitConcurrency(Part):
    """How many requests of a length the KV cache holds at once."""

    tokens: Annotated[int, Field(ge=1)]
    """Length of a request: prompt plus answer."""

    requests: Annotated[int, Field(ge=0)]
    """How many of them."""


class Fit(Part):
    """Whether the model fits where its pods run, computed before any of them is started."""

    verdict: Literal["Fits", "MayNotFit", "DoesNotFit", "Unknown"]
    """DoesNotFit where no error of the computation could make it fit, and MayNotFit where one
    could; Unknown where the model or the GPU is not known."""

    message: Annotated[str, Field(max_length=2048)]
    """Why, for a person."""

    gpu: str | None = None
    """The GPU that was computed with."""

    told_by: str | None = None
    """What says that pods get this GPU."""

    memory: FitMemory | None = None
    kv_cache_tokens: Annotated[int, Field(ge=0)] | None = None
    """Tokens that the KV cache holds."""

    largest_max_model_len: Annotated[int, Field(ge=0)] | None = None
    """The largest spec.engine.maxModelLen that would fit."""

    concurrency: Annotated[tuple[FitConcurrency, ...], Field(max_length=8)] | None = None
    """Requests at once, by their length."""

    instead: Annotated[tuple[str, ...], Field(max_length=8)] | None = None
    """The nearest changes with which it would fit."""


class Status(Part):
    """What is served."""

    observed_generation: int | None = None
    """metadata.generation that this status speaks of."""

    replicas: int | None = None
    """Pods that exist."""

    ready_replicas: int | None = None
    """Pods that answer: ready for kubelet, and their engine's heartbeat is fresh."""

    updated_replicas: int | None = None
    """Pods that run the present configuration."""

    selector: str | None = None
    """Label selector of the pods, for the scale subresource."""

    config_hash: str | None = None
    """Digest of the model repository that pods should run; pods carry it as an annotation."""

    image: str | None = None
    """Container image that pods should run."""

    rendered_by: str | None = None
    """Version of the operator that rendered what pods should run; an older one than the operator's
    own where spec.updatePolicy holds pods back."""

    outdated_pods: Annotated[tuple[str, ...], Field(max_length=32)] | None = None
    """Pods that do not run the operator's newest rendering of the spec: they are being replaced, or
    spec.updatePolicy holds them back. At most 32 are named."""

    endpoints: Endpoints | None = None
    fit: Fit | None = None
    startup: Startup | None = None
    download: Download | None = None
    failure: Failure | None = None
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    """Accepted, Progressing, Available and Ready."""
