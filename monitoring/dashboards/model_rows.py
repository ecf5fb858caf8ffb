"""One model, below the golden signals: where time goes, what the engine does, its pods."""

from typing import Final

from monitoring.dashboards import colours as c
from monitoring.dashboards import frame, promql, states
from monitoring.dashboards.model_scope import (
    ITL,
    PODS,
    QUEUE,
    TTFT,
    buckets,
    hits,
    quantiles,
    state,
)
from monitoring.dashboards.panels import Line, Says, bars, graph, heat
from monitoring.dashboards.tables import Column, joined
from monitoring.rules.thresholds import FIRST_TOKEN_P95, INTER_TOKEN_P95, KV_CACHE, QUEUE_P95

_STALE: Final = ((None, c.GOOD), (10, c.WARN), (60, c.BAD))


def latency() -> frame.Row:
    """Heatmaps and quantiles of first token, next token and queue."""
    return "Where the time goes", (
        heat(
            Says(
                "First token: where requests lie",
                "Each column a moment, each cell the requests a second whose first token took that"
                " long. Two bands mean two kinds of prompts, or a queue.",
                "s",
                12,
            ),
            buckets(TTFT),
        ),
        heat(
            Says(
                "Next tokens: where they lie",
                "Each cell the tokens a second that took that long after the one before. A second"
                " band above is long prompts of others in the same batch.",
                "s",
                12,
            ),
            buckets(ITL),
        ),
        graph(
            Says("First token", "The line is the alert's threshold for p95.", "s", 8),
            quantiles(TTFT),
            limits=((FIRST_TOKEN_P95.default, c.BAD),),
        ),
        graph(
            Says("Next token", "The line is the alert's threshold for p95.", "s", 8),
            quantiles(ITL),
            limits=((INTER_TOKEN_P95.default, c.BAD),),
        ),
        graph(
            Says(
                "In the queue",
                "How long requests wait for a place in the batch: what more replicas would save."
                " The line is the alert's threshold for p95.",
                "s",
                8,
            ),
            quantiles(QUEUE),
            limits=((QUEUE_P95.default, c.BAD),),
        ),
    )


def work() -> frame.Row:
    """Tokens, KV cache, prefix cache, preemptions."""
    return "Tokens and caches", (
        graph(
            Says("Tokens", "Prompt tokens read and tokens generated a second.", "suffix: tok/s", 6),
            (
                Line(promql.rate("vllm:generation_tokens_total", PODS), "generated", c.GENERATED),
                Line(promql.rate("vllm:prompt_tokens_total", PODS), "prompt", c.PROMPT),
            ),
        ),
        graph(
            Says(
                "KV cache by pod",
                "Share of blocks that running requests hold. The line is the alert's threshold.",
                "percentunit",
                6,
            ),
            (Line(promql.current("max", "vllm:kv_cache_usage_perc", PODS, by="pod"), "{{pod}}"),),
            limits=((KV_CACHE.default, c.BAD),),
            top=1,
        ),
        graph(
            Says(
                "Prefix cache hits",
                "Share of prompt tokens that had been computed before: system prompts, long chats."
                " 0 with spec.engine.enablePrefixCaching false.",
                "percentunit",
                6,
            ),
            (Line(hits(), "hits", c.GOOD),),
            top=1,
        ),
        graph(
            Says(
                "Preemptions",
                "Running requests pushed out a second because the KV cache was full: work done"
                " twice.",
                "suffix: /s",
                6,
            ),
            (Line(promql.rate("vllm:num_preemptions_total", PODS), "preempted", c.BAD),),
        ),
    )


def pods() -> frame.Row:
    """Each pod's engine, the last start, GPUs."""
    columns = (
        Column("pod", "Pod"),
        Column("Value #A", "Engine", 90, words=states.ALIVE),
        Column(
            "Value #B",
            "Heartbeat ago",
            130,
            unit="s",
            thresholds=_STALE,
        ),
        Column("vllm_version", "vLLM", 90),
        Column("Value #D", "Running", 90, unit="none"),
        Column("Value #E", "Waiting", 90, unit="none"),
    )

    def of_pods(series: str, *labels: str) -> str:
        return promql.current("max", series, PODS, by=", ".join(("pod", *labels)))

    beat = of_pods("qwen_engine_heartbeat_timestamp_seconds")
    return "Pods", (
        joined(
            Says(
                "Pods",
                "Every pod that Prometheus reads, dead engines first. A heartbeat that grows old"
                " is an engine that hangs.",
                "none",
                12,
            ),
            (
                of_pods("qwen_engine_up"),
                f"clamp_min(time() - {beat}, 0)",
                of_pods("qwen_engine_info", "vllm_version"),
                of_pods("vllm:num_requests_running"),
                of_pods("vllm:num_requests_waiting"),
            ),
            columns,
            height=8,
            sort_by="Engine",
        ),
        bars(
            Says(
                "Last start by phase",
                "How long the pod that became ready last took. scheduled: until a node had room."
                " pulled: image and volumes. downloaded: weights from the hub. loaded: vLLM and its"
                " engine. ready: ports and probe.",
                "s",
                6,
            ),
            Line(state("startup_seconds", "phase"), "{{phase}}"),
            c.TRAFFIC,
        ),
        graph(
            Says(
                "GPU by pod",
                "How busy each pod's GPUs are, the mean; empty without NVIDIA GPUs.",
                "percentunit",
                6,
            ),
            (
                Line(
                    'avg by (pod) (nv_gpu_utilization{namespace="$namespace",pod=~"$pod"}'
                    " and on (namespace, pod) "
                    f"qwen_engine_up{{{PODS}}})",
                    "{{pod}}",
                ),
            ),
            top=1,
        ),
    )
