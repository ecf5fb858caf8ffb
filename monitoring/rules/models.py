"""Alerts about models: what their users feel."""

from typing import Final

from monitoring.rules.thresholds import (
    ERROR_RATIO,
    FIRST_TOKEN_P95,
    FIRST_TOKEN_P99,
    INTER_TOKEN_P95,
    INTER_TOKEN_P99,
    KV_CACHE,
    QUEUE_P95,
)
from monitoring.rules.types import Alert, Severity, Threshold

_WHO = "namespace, name, model"
_ON_PURPOSE = "Suspended|ScaledToZero"
# The reason and what to do, looked up when the alert is sent: as labels of the expression they
# would start the alert's clock anew whenever they change.
_WHY = (
    "{{ range printf"
    " `max by (reason, suggestion) (qwen_operator_resource_reason{namespace=%q, name=%q})`"
    " $labels.namespace $labels.name | query }}"
    "{{ .Labels.reason }}: {{ .Labels.suggestion }} {{ end }}"
)
_MODEL = "{{ $labels.namespace }}/{{ $labels.model }}"
_RESOURCE = "{{ $labels.namespace }}/{{ $labels.name }}"
_POD = "{{ $labels.namespace }}/{{ $labels.pod }}"
_SECONDS = "{{ $value | humanizeDuration }}"
_SHARE = "{{ $value | humanizePercentage }}"

_STATUS = "`kubectl describe qwen NAME`: the conditions' messages and `status.failure`"
_EVENTS = "`kubectl get events --field-selector involvedObject.kind=QwenDeployment`"
_PREVIOUS = "`kubectl logs POD --previous`: the last lines before it ended"
_SCALE = (
    "More replicas (`spec.replicas`, or `spec.autoscaling`) share the load; until they are ready,"
    " let clients send less."
)

_READINESS: Final = (
    Alert(
        "QwenModelNotReady",
        Severity.CRITICAL,
        f"max by ({_WHO}) (qwen_operator_resource_ready) == 0"
        f" unless on ({_WHO})"
        f' qwen_operator_resource_reason{{reason=~"{_ON_PURPOSE}"}}',
        "15m",
        f"{_RESOURCE} has not been Ready for 15 minutes",
        _WHY,
        "The QwenDeployment's Ready condition has been False all the time; suspended ones and"
        " those with 0 replicas are not meant.",
        (_STATUS, _EVENTS, "the dashboard of the model: since when, and which pods"),
        "The alert's description has the reason and what to do; docs/troubleshooting.md has all"
        " reasons. Large models may load for longer: compare with"
        " `spec.triton.loadTimeoutSeconds`.",
    ),
    Alert(
        "QwenReplicasShort",
        Severity.WARNING,
        f"(max by ({_WHO}) (qwen_operator_resource_replicas_ready) > 0)"
        f" < max by ({_WHO}) (qwen_operator_resource_replicas_desired)",
        "15m",
        f"{_RESOURCE} has only {{{{ $value }}}} serving pods",
        _WHY,
        "Some pods serve, but fewer than the resource or its autoscaler asks for.",
        (_STATUS, "`kubectl get pods -l app.kubernetes.io/instance=NAME`"),
        "Most often there is no GPU for the rest (reason WaitingForGPU): add nodes, or ask for"
        " fewer replicas.",
    ),
    Alert(
        "QwenModelFlapping",
        Severity.WARNING,
        f"max by ({_WHO}) (changes(qwen_operator_resource_ready[1h])) > 6",
        "0m",
        f"{_RESOURCE} changed {{{{ $value }}}} times between ready and not ready in an hour",
        _WHY,
        "The model comes and goes; its users see errors each time.",
        (_EVENTS, _PREVIOUS, "`kubectl get pods`: which pod restarts"),
        "One pod that restarts has a cause in its previous log; all of them at once have one"
        " outside, as a node, a driver or memory limits.",
    ),
    Alert(
        "QwenEngineDead",
        Severity.CRITICAL,
        "(max by (namespace, pod, model) (qwen_engine_up) == 0)"
        " or (time() - max by (namespace, pod, model) (qwen_engine_heartbeat_timestamp_seconds)"
        " > 60)",
        "1m",
        f"The engine in {_POD} does not answer",
        "Triton runs in the pod, its vLLM engine does not: every request to this pod fails.",
        "The backend says that its engine is dead, or has given no sign of life for a minute. The"
        " pod should have been restarted by now.",
        (_PREVIOUS, _STATUS, "`kubectl get pod POD`: does it restart?"),
        "If the pod does not restart by itself, delete it. If it dies again, the reason EngineDead"
        " or a more telling one stands in `status.failure` with the line of the log.",
    ),
    Alert(
        "QwenModelMetricsMissing",
        Severity.WARNING,
        "max by (namespace, model) (qwen_operator_resource_replicas_ready) > 0"
        " unless on (namespace, model) qwen_engine_up",
        "15m",
        f"{_MODEL} serves, but Prometheus has no metrics of its pods",
        "All other alerts about this model are blind.",
        "The operator sees serving pods; Prometheus does not scrape them.",
        (
            "Prometheus' page of targets: is there one for the pods' port 8002, and what is wrong",
            "`kubectl get podmonitor -A`",
        ),
        "Switch the chart's `podMonitor.enabled` on, give it the labels that your Prometheus"
        " selects, and let NetworkPolicies admit Prometheus to port 8002. docs/monitoring.md has"
        " the ways.",
    ),
)


def _slow(name: str, what: str, series: str, threshold: Threshold, lasting: str) -> Alert:
    return Alert(
        name,
        Severity.WARNING,
        f"qwen_model:{series} > {threshold}",
        lasting,
        f"{what} of {_MODEL} takes more than {_SECONDS}",
        f"It should take less than {threshold} s.",
        f"{what} has been slower than `prometheusRule.thresholds.{threshold.name}`.",
        (
            "the model's dashboard: a long queue is too much load, a full KV cache long requests",
            "one pod or all of them: a single one points at its node",
        ),
        f"{_SCALE} Long prompts delay everybody's tokens: `max_num_batched_tokens` in"
        " `spec.engine.extraArgs` bounds how much of them goes into one step.",
    )


_SERVICE: Final = (
    Alert(
        "QwenErrorRatioHigh",
        Severity.CRITICAL,
        # Three in five minutes at least: one failure of a lone request wakes nobody.
        f"qwen_model:request_errors:ratio_rate5m > {ERROR_RATIO}"
        " and qwen_model:request_errors:rate5m > 0.01",
        "5m",
        f"{_SHARE} of the requests to {_MODEL} fail",
        "Requests fail in the engine or in Triton, not because clients got them wrong.",
        "More requests failed than `prometheusRule.thresholds.errorRatio` allows, and more than"
        " three in five minutes.",
        ("the dashboard of the model, panel Errors", "`kubectl logs` of its pods", _STATUS),
        "If it began with a change of the spec or of the image, take that back. If one pod makes"
        " all the errors, delete it.",
    ),
    _slow(
        "QwenFirstTokenSlow",
        "1 of 20 first tokens",
        "time_to_first_token_seconds:p95",
        FIRST_TOKEN_P95,
        "10m",
    ),
    _slow(
        "QwenFirstTokenTail",
        "1 of 100 first tokens",
        "time_to_first_token_seconds:p99",
        FIRST_TOKEN_P99,
        "10m",
    ),
    _slow(
        "QwenInterTokenSlow",
        "1 of 20 tokens",
        "inter_token_latency_seconds:p95",
        INTER_TOKEN_P95,
        "10m",
    ),
    _slow(
        "QwenInterTokenTail",
        "1 of 100 tokens",
        "inter_token_latency_seconds:p99",
        INTER_TOKEN_P99,
        "10m",
    ),
    Alert(
        "QwenQueueWaitLong",
        Severity.WARNING,
        f"qwen_model:queue_time_seconds:p95 > {QUEUE_P95}",
        "10m",
        f"Requests to {_MODEL} wait {_SECONDS} before they are worked on",
        "There is more work than the pods can take.",
        "1 of 20 requests waited longer than `prometheusRule.thresholds.queueTimeP95Seconds`.",
        ("the dashboard of the model, row Saturation",),
        f"{_SCALE} If the KV cache is far from full, a larger `spec.engine.maxNumSeqs` lets more"
        " requests into a batch.",
    ),
    Alert(
        "QwenQueueGrowing",
        Severity.WARNING,
        "min_over_time(qwen_model:requests_waiting:sum[10m]) > 0"
        " and deriv(qwen_model:requests_waiting:sum[10m]) > 0",
        "10m",
        f"The queue of {_MODEL} has been growing for 20 minutes",
        "At least {{ $value }} requests have been waiting all the time, and ever more come.",
        "More requests arrive than are answered; waiting times grow without bound.",
        ("the dashboard of the model: traffic, then saturation",),
        _SCALE,
    ),
    Alert(
        "QwenKVCacheFull",
        Severity.WARNING,
        f"avg_over_time(qwen_model:kv_cache_usage:max[10m]) > {KV_CACHE}",
        "5m",
        f"The KV cache of {_MODEL} is {_SHARE} full",
        "New requests wait, and running ones may be pushed out and computed again.",
        "Running requests hold nearly all blocks of the KV cache.",
        ("the dashboard of the model: KV cache by pod, preemptions, length of answers",),
        "More replicas, a higher `spec.engine.gpuMemoryUtilization`, a smaller"
        " `spec.engine.maxModelLen` or `maxNumSeqs`, or `spec.engine.kvCacheDtype: fp8`.",
    ),
    Alert(
        "QwenPreemptions",
        Severity.WARNING,
        "sum by (namespace, model) (rate(vllm:num_preemptions_total[10m])) > 0.1",
        "10m",
        f"{_MODEL} pushes out {{{{ $value | humanize }}}} running requests a second",
        "Work is thrown away and done again; answers stall in the middle.",
        "The KV cache does not hold the requests that were admitted.",
        ("the dashboard of the model: KV cache by pod",),
        "Lower `spec.engine.maxNumSeqs` so that fewer requests are admitted at a time, or act as"
        " for QwenKVCacheFull.",
    ),
)

MODELS: Final = (*_READINESS, *_SERVICE)
