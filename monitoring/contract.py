"""Every metric that this product offers, once: name, type, labels, unit, meaning.

The operator's code, the model pods' backend, recording rules, alerts, dashboards and
docs/metrics.md are tested against this file, and this file against scrapes of the real processes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Type(StrEnum):
    """How the values behave."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Whose /metrics shows it."""

    OPERATOR = "operator, :8080/metrics"
    POD = "model pod, :8002/metrics"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as Prometheus stores it; of a histogram without _bucket, _sum, _count.
        type: how its values behave.
        source: whose /metrics shows it.
        labels: beside those that Prometheus adds (namespace, pod, job, instance) and `le`.
        unit: of the values.
        meaning: what a value says.
        gpu_only: missing where no NVIDIA GPU is.
    """

    name: str
    type: Type
    source: Source
    labels: tuple[str, ...]
    unit: str
    meaning: str
    gpu_only: bool = False

    @property
    def series(self) -> tuple[str, ...]:
        """The names that Prometheus stores samples under."""
        if self.type is not Type.HISTOGRAM:
            return (self.name,)
        return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))


_RESOURCE = ("namespace", "name", "model")
_SERVED = ("model", "version", "model_name")
_TRITON = ("model", "version")


def _ours(name: str, unit: str, meaning: str, *labels: str, kind: Type = Type.GAUGE) -> Metric:
    return Metric(f"qwen_operator_{name}", kind, Source.OPERATOR, labels, unit, meaning)


def _counted(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    return _ours(name, unit, meaning, *labels, kind=Type.COUNTER)


def _timed(name: str, meaning: str, *labels: str) -> Metric:
    return _ours(name, "seconds", meaning, *labels, kind=Type.HISTOGRAM)


def _resource(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    return _ours(f"resource_{name}", unit, meaning, *_RESOURCE, *labels)


def _pod(kind: Type, name: str, unit: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, kind, Source.POD, (*_SERVED, *labels), unit, meaning)


def _triton(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, Type.COUNTER, Source.POD, labels, "requests", meaning)


def _gpu(name: str, unit: str, meaning: str) -> Metric:
    labels = ("gpu_uuid",)
    return Metric(f"nv_gpu_{name}", Type.GAUGE, Source.POD, labels, unit, meaning, gpu_only=True)


def _process(kind: Type, name: str, unit: str, meaning: str) -> Metric:
    return Metric(f"process_{name}", kind, Source.OPERATOR, (), unit, meaning)


RESOURCES: Final = (
    _resource(
        "info",
        "1",
        "1, with where the model comes from and the image that serves it.",
        "source",
        "image",
    ),
    _resource("ready", "0 or 1", "1 while the QwenDeployment's Ready condition is True, else 0."),
    _resource(
        "ready_transition_timestamp_seconds",
        "unix seconds",
        "When the Ready condition last changed between True and False, unix seconds.",
    ),
    _resource(
        "reason",
        "1",
        "1, with the reason of the Ready condition and what to do about it.",
        "reason",
        "suggestion",
    ),
    _resource(
        "replicas_desired", "pods", "Pods that there should be, by the resource or its autoscaler."
    ),
    _resource("replicas_ready", "pods", "Pods that answer requests, by the status."),
    _resource("gpus", "GPUs", "GPUs that the existing pods ask for."),
    _resource(
        "startup_seconds",
        "seconds",
        "How long the pod that became ready last took, by phase of its start.",
        "phase",
    ),
)

OPERATOR: Final = (
    _ours(
        "resources",
        "QwenDeployments",
        "QwenDeployments by the reason of their Ready condition.",
        "reason",
    ),
    _timed("reconcile_duration_seconds", "Duration of reconcile passes by outcome.", "outcome"),
    _ours("queue_depth", "QwenDeployments", "Resources that wait for a pass."),
    _ours(
        "queue_oldest_seconds",
        "seconds",
        "How long the resource that waits longest has been due.",
    ),
    _ours("workers_busy", "passes", "Passes under way."),
    _ours("leader", "0 or 1", "1 while this operator leads, else 0."),
    _ours("healthy", "0 or 1", "1 while /healthz is content, else 0."),
    _counted(
        "api_requests_total",
        "requests",
        "Requests to the API server by verb, kind and HTTP status, 0 for no answer; watches"
        " are not counted.",
        "verb",
        "kind",
        "code",
    ),
    _timed("scrape_duration_seconds", "Duration of reading one model pod's :8002."),
    _counted(
        "scrape_failures_total",
        "readings",
        "Readings of model pods that gave no usable answer.",
    ),
    _timed("scrape_cycle_duration_seconds", "Duration of one round over all model pods."),
    _counted("sweeps_total", "listings", "Full listings by outcome.", "outcome"),
    _timed(
        "time_to_ready_seconds",
        "How long pods took to become ready, by phase of their start.",
        "phase",
    ),
    _counted("watch_restarts_total", "restarts", "How often the watches had to be started again."),
    _ours(
        "last_event_timestamp_seconds",
        "unix seconds",
        "When a watch last delivered anything, unix seconds.",
    ),
    _ours("build_info", "1", "1, labelled with the operator's version.", "version"),
    _process(
        Type.COUNTER,
        "cpu_seconds_total",
        "seconds",
        "Total user and system CPU time spent in seconds.",
    ),
    _process(Type.GAUGE, "resident_memory_bytes", "bytes", "Resident memory size in bytes."),
    _process(
        Type.GAUGE,
        "start_time_seconds",
        "unix seconds",
        "Start time of the process since unix epoch in seconds.",
    ),
    _process(Type.GAUGE, "open_fds", "files", "Number of open file descriptors."),
    _process(Type.GAUGE, "max_fds", "files", "Maximum number of open file descriptors."),
    _process(Type.GAUGE, "virtual_memory_bytes", "bytes", "Virtual memory size in bytes."),
)

ENGINE: Final = (
    _pod(Type.GAUGE, "qwen_engine_up", "0 or 1", "1 while the engine can answer, 0 otherwise."),
    _pod(
        Type.GAUGE,
        "qwen_engine_heartbeat_timestamp_seconds",
        "unix seconds",
        "Unix time at which loop and engine were last alive.",
    ),
    _pod(Type.GAUGE, "qwen_engine_info", "1", "1, with the engine's version.", "vllm_version"),
    _pod(
        Type.GAUGE,
        "qwen_openai_endpoint_up",
        "0 or 1",
        "1 where :9000 has vLLM's OpenAI endpoint, else 0.",
    ),
    _pod(Type.GAUGE, "vllm:num_requests_running", "requests", "Requests in the running batch."),
    _pod(
        Type.GAUGE,
        "vllm:num_requests_waiting",
        "requests",
        "Requests that wait for a place in the batch.",
    ),
    _pod(
        Type.GAUGE,
        "vllm:kv_cache_usage_perc",
        "0 to 1",
        "Share of the KV cache's blocks that running requests hold.",
    ),
    _pod(Type.COUNTER, "vllm:prompt_tokens_total", "tokens", "Prompt tokens processed."),
    _pod(Type.COUNTER, "vllm:generation_tokens_total", "tokens", "Tokens generated."),
    _pod(
        Type.COUNTER,
        "vllm:request_success_total",
        "requests",
        "Answers that the engine brought to an end, by how.",
        "finished_reason",
    ),
    _pod(
        Type.COUNTER,
        "qwen_requests_refused_total",
        "requests",
        "Requests that were answered with an error, by cause; not those of the OpenAI endpoint.",
        "cause",
    ),
    _pod(
        Type.HISTOGRAM,
        "vllm:time_to_first_token_seconds",
        "seconds",
        "From a request's arrival to its first token.",
    ),
    _pod(
        Type.HISTOGRAM,
        "vllm:inter_token_latency_seconds",
        "seconds",
        "Between two tokens of one answer.",
    ),
    _pod(
        Type.HISTOGRAM,
        "vllm:e2e_request_latency_seconds",
        "seconds",
        "From a request's arrival to the end of its answer.",
    ),
    _pod(
        Type.HISTOGRAM,
        "vllm:request_queue_time_seconds",
        "seconds",
        "How long a request waited for a place in the batch.",
    ),
    _pod(
        Type.COUNTER,
        "vllm:prefix_cache_queries_total",
        "tokens",
        "Prompt tokens that were looked up in the prefix cache.",
    ),
    _pod(
        Type.COUNTER,
        "vllm:prefix_cache_hits_total",
        "tokens",
        "Prompt tokens that were found in the prefix cache.",
    ),
    _pod(
        Type.COUNTER,
        "vllm:num_preemptions_total",
        "preemptions",
        "Running requests that were pushed out because the KV cache was full.",
    ),
)

TRITON: Final = (
    _triton(
        "nv_inference_request_success",
        "Requests that Triton handed to the backend; says nothing about their answers.",
        *_TRITON,
    ),
    _triton(
        "nv_inference_request_failure",
        "Requests that Triton itself refused or lost.",
        *(*_TRITON, "reason"),
    ),
    _gpu("utilization", "0 to 1", "How busy a GPU is."),
    _gpu("memory_used_bytes", "bytes", "GPU memory in use."),
    _gpu("memory_total_bytes", "bytes", "GPU memory there is."),
    _gpu("power_usage", "watts", "Power that a GPU draws."),
)

METRICS: Final = (*RESOURCES, *OPERATOR, *ENGINE, *TRITON)

BY_SERIES: Final = {series: metric for metric in METRICS for series in metric.series}
"""Sample name → metric."""
