"""What the panels of one model ask Prometheus for, and how."""

from typing import Final

from monitoring.dashboards import colours as c
from monitoring.dashboards import promql
from monitoring.dashboards.panels import Line

IT: Final = 'namespace="$namespace",model="$model"'
PODS: Final = f'{IT},pod=~"$pod"'
TTFT: Final = "vllm:time_to_first_token_seconds"
ITL: Final = "vllm:inter_token_latency_seconds"
E2E: Final = "vllm:e2e_request_latency_seconds"
QUEUE: Final = "vllm:request_queue_time_seconds"


def state(series: str, by: str = "namespace, name, model") -> str:
    """A series of the operator about this model."""
    return promql.current("max", f"qwen_operator_resource_{series}", IT, by=by)


def quantiles(histogram: str) -> tuple[Line, ...]:
    """p99, p95 and p50 of a histogram, each in its colour."""
    return tuple(
        Line(promql.quantile(share, histogram, PODS), name, colour)
        for share, name, colour in ((0.99, "p99", c.P99), (0.95, "p95", c.P95), (0.5, "p50", c.P50))
    )


def buckets(histogram: str) -> str:
    """Observations a second by bucket, for a heatmap."""
    return promql.rate(f"{histogram}_bucket", PODS, by="le")


def hits() -> str:
    """Share of prompt tokens found in the prefix cache."""
    queries = promql.rate("vllm:prefix_cache_queries_total", PODS)
    hits = promql.rate("vllm:prefix_cache_hits_total", PODS)
    return f"{hits} / clamp_min({queries}, 0.001)"
