"""The fleet: every model at a glance, the sick ones first, each with what to do about it."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards import colours as c
from monitoring.dashboards import frame, promql, states
from monitoring.dashboards.panels import Line, Says, graph, tile
from monitoring.dashboards.tables import Column, joined
from monitoring.rules.thresholds import ERROR_RATIO, FIRST_TOKEN_P95, KV_CACHE

_ALL: Final = 'namespace=~"$namespace"'
_BY: Final = "namespace, model"
_WHO: Final = "namespace, name, model"
_NAME: Final = "{{namespace}}/{{model}}"
_TTFT: Final = "vllm:time_to_first_token_seconds"
_TOKENS: Final = "vllm:generation_tokens_total"
_GPUS: Final = "qwen_operator_resource_gpus"
_RESOURCES: Final = "qwen_operator_resource_ready"
_SLOW: Final = FIRST_TOKEN_P95.default
_OPEN: Final = (
    f"/d/{frame.MODEL}?var-datasource=${{datasource}}"
    "&var-namespace=${__data.fields.Namespace}&var-model=${__data.fields.Model}&${__url_time_range}"
)


def _state(series: str, by: str = _WHO) -> str:
    return promql.current("max", f"qwen_operator_resource_{series}", _ALL, by=by)


def _cost(by: str = "") -> str:
    """Price of the GPUs a second over the tokens that they make a second, times a million."""
    group = f" by ({by})" if by else ""
    gpus = f"sum{group} ({_state('gpus')})"
    tokens = promql.rate(_TOKENS, _ALL, by=by)
    return f"1e6 * ${{gpu_price}} / 3600 * {gpus} / clamp_min({tokens}, 0.001)"


def _tiles() -> frame.Row:
    missing = f"clamp_min({_state('replicas_desired')} - {_state('replicas_ready')}, 0)"
    return "", (
        tile(
            Says(
                "Models that fail",
                "QwenDeployments whose reason is a failure. Suspended, scaled to zero and loading"
                " ones are not counted. The table below says which, why, and what to do.",
                "none",
                3,
            ),
            Line(
                f"sum(max by ({_WHO}) (qwen_operator_resource_reason{{{_ALL},reason!~"
                f'"{states.NOT_FAILING}"}})) or vector(0)',
                "failing",
            ),
            ((None, c.GOOD), (1, c.BAD)),
        ),
        tile(
            Says("Models ready", "QwenDeployments whose Ready condition is True.", "none", 3),
            Line(f"sum({_state('ready')})", "ready"),
            ((None, c.IDLE), (1, c.GOOD)),
        ),
        tile(
            Says("Pods missing", "Pods wanted that do not serve, over all models.", "none", 3),
            Line(f"sum({missing})", "missing"),
            ((None, c.GOOD), (1, c.WARN)),
        ),
        tile(
            Says("Requests", "Requests that ended a second, well or by our fault.", "reqps", 3),
            Line(promql.requests(_ALL), "requests"),
            ((None, c.TRAFFIC),),
        ),
        tile(
            Says(
                "Errors",
                "Share of requests that failed by our fault: the engine was not there or could not."
                " Clients' mistakes and cancelled requests are not counted.",
                "percentunit",
                3,
            ),
            Line(promql.error_ratio(_ALL), "errors"),
            ((None, c.GOOD), (0.01, c.WARN), (ERROR_RATIO.default, c.BAD)),
        ),
        tile(
            Says(
                "First token, p95",
                "19 of 20 requests to any model got their first token within this time.",
                "s",
                3,
            ),
            Line(promql.quantile(0.95, _TTFT, _ALL), "p95"),
            (
                (None, c.GOOD),
                (_SLOW / 2, c.WARN),
                (_SLOW, c.BAD),
            ),
        ),
        tile(
            Says("Tokens", "Tokens generated a second by all models.", "suffix: tok/s", 3),
            Line(promql.rate(_TOKENS, _ALL), "generated"),
            ((None, c.GENERATED),),
        ),
        tile(
            Says(
                "Cost of a million tokens",
                "What the GPUs cost for a million generated tokens at the present speed, with the"
                " price of a GPU's hour that stands in the field above. Idle GPUs make it grow."
                " 0 while no price is given or no GPU is used.",
                "currencyUSD",
                3,
            ),
            Line(_cost(), "cost"),
            ((None, c.COST),),
        ),
    )


def _models() -> frame.Row:
    columns = (
        Column("namespace", "Namespace", 140),
        Column("name", "QwenDeployment", 190, link=_OPEN),
        Column("model", "Model", 210, link=_OPEN),
        Column("Value #B", "State", 90, words=states.STATE),
        Column("reason", "Reason", 180, words=states.REASONS),
        Column("Value #E", "For", 90, unit="s"),
        Column("Value #C", "Serving", 80, unit="none"),
        Column("Value #D", "Wanted", 80, unit="none"),
        Column("suggestion", "What to do"),
    )
    since = f"time() - {_state('ready_transition_timestamp_seconds')}"
    return "", (
        joined(
            Says(
                "Models: what is the case and what to do",
                "Every QwenDeployment, those in trouble first. For: how long it has been ready, or"
                " not ready. Click a name to see that model.",
                "none",
                24,
            ),
            (
                _state("reason", f"{_WHO}, reason, suggestion"),
                states.state(_ALL, _WHO),
                _state("replicas_ready"),
                _state("replicas_desired"),
                since,
            ),
            columns,
            height=8,
            sort_by="State",
        ),
    )


def _signals() -> frame.Row:
    return "Traffic, errors, latency", (
        graph(
            Says("Requests by model", "Requests that ended a second.", "reqps", 8),
            (Line(promql.requests(_ALL, by=_BY), _NAME),),
            stacked=True,
        ),
        graph(
            Says(
                "Errors by model",
                "Share of requests that failed by our fault. The line is the alert's threshold.",
                "percentunit",
                8,
            ),
            (Line(promql.error_ratio(_ALL, by=_BY), _NAME),),
            limits=((ERROR_RATIO.default, c.BAD),),
        ),
        graph(
            Says(
                "First token by model, p95",
                "19 of 20 requests got their first token within this time. The line is the"
                " alert's threshold.",
                "s",
                8,
            ),
            (Line(promql.quantile(0.95, _TTFT, _ALL, by=_BY), _NAME),),
            limits=((_SLOW, c.BAD),),
        ),
    )


def _saturation() -> frame.Row:
    return "Saturation", (
        graph(
            Says(
                "Waiting requests by model",
                "Requests without a place in a batch. A queue that stays needs more replicas.",
                "none",
                8,
            ),
            (Line(promql.current("sum", "vllm:num_requests_waiting", _ALL, by=_BY), _NAME),),
            stacked=True,
        ),
        graph(
            Says(
                "KV cache by model, fullest pod",
                "A full cache makes requests wait and pushes running ones out.",
                "percentunit",
                8,
            ),
            (Line(promql.current("max", "vllm:kv_cache_usage_perc", _ALL, by=_BY), _NAME),),
            limits=((KV_CACHE.default, c.BAD),),
            top=1,
        ),
        graph(
            Says(
                "GPU utilisation by model",
                "How busy the GPUs are, the mean over a model's pods; empty without NVIDIA GPUs.",
                "percentunit",
                8,
            ),
            (
                Line(
                    "avg by (namespace, model) (avg by (namespace, pod) "
                    f"(nv_gpu_utilization{{{_ALL}}}) * on (namespace, pod) group_left (model) "
                    f"max by (namespace, pod, model) (qwen_engine_up{{{_ALL}}}))",
                    _NAME,
                ),
            ),
            top=1,
        ),
    )


def _economy() -> frame.Row:
    return "Output, cost and state over time", (
        graph(
            Says("Tokens by model", "Tokens generated a second.", "suffix: tok/s", 6),
            (Line(promql.rate(_TOKENS, _ALL, by=_BY), _NAME),),
            stacked=True,
        ),
        graph(
            Says(
                "GPUs by model",
                "GPUs that the models' pods ask for, whether they are busy or not.",
                "none",
                6,
            ),
            (Line(f"sum by ({_BY}) ({_state('gpus')})", _NAME),),
            stacked=True,
        ),
        graph(
            Says(
                "Cost of a million tokens by model",
                "With the price of a GPU's hour that stands above; idle GPUs make it grow.",
                "currencyUSD",
                6,
            ),
            (Line(_cost(_BY), _NAME),),
        ),
        graph(
            Says(
                "Models by reason",
                "How many QwenDeployments give which reason. Green serves, red fails, yellow is on"
                " its way, grey rests on purpose.",
                "none",
                6,
            ),
            tuple(
                Line(
                    f"count by (reason) (max by ({_WHO}, reason) (qwen_operator_resource_reason"
                    f"{{{_ALL},reason{matcher}}}))",
                    "{{reason}}",
                    colour,
                )
                for matcher, colour in states.MATCHERS
            ),
            stacked=True,
        ),
    )


def fleet() -> dashboard.Dashboard:
    """The dashboard."""
    made = frame.board(
        frame.FLEET, "Qwen / Fleet", "Every model: what is the case, what to do, what it costs."
    )
    made.with_variable(
        frame.several(frame.choice("namespace", "Namespace", f"{_RESOURCES}, namespace"))
    )
    made.with_variable(
        frame.figure("gpu_price", "Price of a GPU's hour", "For the cost of tokens, in $.", "0")
    )
    rows = (_tiles(), _models(), _signals(), _saturation(), _economy())
    return frame.filled(made, rows)
