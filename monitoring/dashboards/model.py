"""One model: the golden signals first, then where time goes, then its pods."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards import colours as c
from monitoring.dashboards import frame, promql, states
from monitoring.dashboards.model_rows import latency, pods, work
from monitoring.dashboards.model_scope import E2E, IT, ITL, PODS, TTFT, quantiles, state
from monitoring.dashboards.panels import Line, Says, graph, named_tile, tile, words
from monitoring.dashboards.tables import Column, joined
from monitoring.rules.thresholds import ERROR_RATIO, FIRST_TOKEN_P95, INTER_TOKEN_P95, KV_CACHE

_RESOURCES: Final = "qwen_operator_resource_ready"


def _tiles() -> frame.Row:
    slow = FIRST_TOKEN_P95.default
    itl = INTER_TOKEN_P95.default
    return "", (
        tile(
            Says("State", "Whether the QwenDeployment's Ready condition is True.", "none", 3),
            Line(f"min({state('ready')})", "ready"),
            ((None, c.BAD), (1, c.GOOD)),
            mapped=words(states.READY),
        ),
        named_tile(
            Says("Reason", "Of the Ready condition; the table below has what to do.", "none", 3),
            Line(states.state(IT, "reason"), "{{reason}}"),
            states.STATE_STEPS,
        ),
        tile(
            Says(
                "Pods missing",
                "Pods wanted that do not serve.",
                "none",
                3,
            ),
            Line(
                f"sum(clamp_min({state('replicas_desired')} - {state('replicas_ready')}, 0))",
                "missing",
            ),
            ((None, c.GOOD), (1, c.WARN)),
        ),
        tile(
            Says("Requests", "Requests that ended a second, well or by our fault.", "reqps", 3),
            Line(promql.requests(PODS), "requests"),
            ((None, c.TRAFFIC),),
        ),
        tile(
            Says("Errors", "Share of requests that failed by our fault.", "percentunit", 3),
            Line(promql.error_ratio(PODS), "errors"),
            ((None, c.GOOD), (0.01, c.WARN), (ERROR_RATIO.default, c.BAD)),
        ),
        tile(
            Says("First token, p95", "19 of 20 requests got their first token within.", "s", 3),
            Line(promql.quantile(0.95, TTFT, PODS), "p95"),
            ((None, c.GOOD), (slow / 2, c.WARN), (slow, c.BAD)),
        ),
        tile(
            Says("Next token, p95", "19 of 20 further tokens came within.", "s", 3),
            Line(promql.quantile(0.95, ITL, PODS), "p95"),
            ((None, c.GOOD), (itl / 2, c.WARN), (itl, c.BAD)),
        ),
        tile(
            Says("KV cache", "In use on the fullest pod.", "percentunit", 3),
            Line(promql.current("max", "vllm:kv_cache_usage_perc", PODS), "used"),
            ((None, c.GOOD), (0.8, c.WARN), (KV_CACHE.default, c.BAD)),
        ),
    )


def _case() -> frame.Row:
    by = "namespace, name, model"
    columns = (
        Column("name", "QwenDeployment", 190),
        Column("reason", "Reason", 180, words=states.REASONS),
        Column("Value #B", "For", 90, unit="s"),
        Column("source", "Source", 260),
        Column("image", "Image", 330),
        Column("suggestion", "What to do"),
    )
    since = f"time() - {state('ready_transition_timestamp_seconds')}"
    return "", (
        joined(
            Says(
                "What is the case and what to do",
                "The reason of the Ready condition, since when, and the operator's suggestion;"
                " kubectl describe qwen has more.",
                "none",
                24,
            ),
            (
                state("reason", f"{by}, reason, suggestion"),
                since,
                state("info", f"{by}, source, image"),
            ),
            columns,
            height=4,
            sort_by="QwenDeployment",
        ),
    )


def _golden() -> frame.Row:
    ended, refused = "vllm:request_success_total", "qwen_requests_refused_total"
    return "Golden signals", (
        graph(
            Says(
                "Traffic: answers by how they ended",
                "stop: the model was done. length: max_tokens or the context's end."
                " error: the engine gave up on it. other: it repeated itself, or was stopped.",
                "reqps",
                6,
            ),
            (
                *(
                    Line(promql.rate(ended, f'{PODS},finished_reason="{reason}"'), reason, colour)
                    for reason, colour in (
                        ("stop", c.GOOD),
                        ("length", c.TRAFFIC),
                        ("error", c.BAD),
                    )
                ),
                Line(
                    promql.rate(ended, f'{PODS},finished_reason!~"stop|length|error"'),
                    "other",
                    c.IDLE,
                ),
            ),
            stacked=True,
        ),
        graph(
            Says(
                "Errors: requests refused by cause",
                "unavailable: no engine, or it takes no more. failed: the engine could not."
                " bad_request: the client's mistake. cancelled: the client left.",
                "reqps",
                6,
            ),
            tuple(
                Line(promql.rate(refused, f'{PODS},cause="{cause}"'), cause, colour)
                for cause, colour in (
                    ("failed", c.BAD),
                    ("unavailable", c.WARN),
                    ("bad_request", c.TRAFFIC),
                    ("cancelled", c.IDLE),
                )
            ),
            stacked=True,
        ),
        graph(
            Says(
                "Latency: whole answers",
                "From a request's arrival to the end of its answer; long answers take long.",
                "s",
                6,
            ),
            quantiles(E2E),
        ),
        graph(
            Says(
                "Saturation: running and waiting",
                "Requests in the batch and those without a place in it.",
                "none",
                6,
            ),
            (
                Line(
                    promql.current("sum", "vllm:num_requests_running", PODS), "running", c.RUNNING
                ),
                Line(
                    promql.current("sum", "vllm:num_requests_waiting", PODS), "waiting", c.WAITING
                ),
            ),
            stacked=True,
        ),
    )


def model() -> dashboard.Dashboard:
    """The dashboard."""
    made = frame.board(
        frame.MODEL, "Qwen / Model", "One model: what its users feel, where time goes, its pods."
    )
    here = 'namespace="$namespace"'
    made.with_variable(frame.choice("namespace", "Namespace", f"{_RESOURCES}, namespace"))
    made.with_variable(frame.choice("model", "Model", f"{_RESOURCES}{{{here}}}, model"))
    made.with_variable(frame.several(frame.choice("pod", "Pod", f"qwen_engine_up{{{IT}}}, pod")))
    rows = (_tiles(), _case(), _golden(), latency(), work(), pods())
    return frame.filled(made, rows)
