"""Series that alerts, autoscalers and people ask for again and again, by namespace and model."""

from typing import Final

from monitoring.rules.types import Recording

BY: Final = "namespace, model"
WINDOW: Final = "5m"

_LATENCIES = {
    "time_to_first_token": "vllm:time_to_first_token_seconds",
    "inter_token_latency": "vllm:inter_token_latency_seconds",
    "request_latency": "vllm:e2e_request_latency_seconds",
    "queue_time": "vllm:request_queue_time_seconds",
}
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def _latency(name: str, series: str, quantile: str) -> Recording:
    buckets = f"sum by ({BY}, le) (rate({series}_bucket[{WINDOW}]))"
    return Recording(
        f"qwen_model:{name}_seconds:{quantile}",
        f"histogram_quantile({_QUANTILES[quantile]}, {buckets})",
        f"{quantile} of {name.replace('_', ' ')} over {WINDOW}, seconds.",
    )


def _rate(name: str, series: str, meaning: str) -> Recording:
    expression = f"sum by ({BY}) (rate({series}[{WINDOW}]))"
    return Recording(f"qwen_model:{name}:rate{WINDOW}", expression, meaning)


_LOST = 'qwen_requests_refused_total{cause=~"unavailable|failed"}'
_WRONG = 'vllm:request_success_total{finished_reason="error"}'
_ENDED = "vllm:request_success_total"
_NONE = f"0 * qwen_model:requests:rate{WINDOW}"


def _summed(series: str) -> str:
    return f"sum by ({BY}) (rate({series}[{WINDOW}]))"


RECORDINGS: Final = (
    Recording(
        f"qwen_model:requests:rate{WINDOW}",
        f"{_summed(_ENDED)} + {_summed(_LOST)}",
        "Requests a second that ended, well or by our fault.",
    ),
    _rate("prompt_tokens", "vllm:prompt_tokens_total", "Prompt tokens processed a second."),
    _rate("generation_tokens", "vllm:generation_tokens_total", "Tokens generated a second."),
    Recording(
        f"qwen_model:request_errors:rate{WINDOW}",
        f"{_summed(_LOST)} + ({_summed(_WRONG)} or {_NONE})",
        "Requests a second that failed by our fault; not those that clients left or got wrong.",
    ),
    Recording(
        f"qwen_model:request_errors:ratio_rate{WINDOW}",
        f"qwen_model:request_errors:rate{WINDOW} / (qwen_model:requests:rate{WINDOW} > 0)",
        "Share of requests that failed, 0 to 1; absent while there are none.",
    ),
    Recording(
        "qwen_model:requests_waiting:sum",
        f"sum by ({BY}) (vllm:num_requests_waiting)",
        "Requests that wait for a place in a batch.",
    ),
    Recording(
        "qwen_model:kv_cache_usage:max",
        f"max by ({BY}) (vllm:kv_cache_usage_perc)",
        "KV cache in use on the fullest pod, 0 to 1.",
    ),
    *(
        _latency(name, series, quantile)
        for name, series in _LATENCIES.items()
        for quantile in _QUANTILES
    ),
)
