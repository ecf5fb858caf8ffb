"""The operator itself: whether what it says of models can be trusted."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards import colours as c
from monitoring.dashboards import frame, promql, states
from monitoring.dashboards.panels import Line, Says, graph, heat, tile, words
from monitoring.dashboards.tables import Column, joined

_IT: Final = 'namespace=~"$operator_namespace"'
_PASSES: Final = "qwen_operator_reconcile_duration_seconds"
_API: Final = "qwen_operator_api_requests_total"
_SCRAPES: Final = "qwen_operator_scrape_duration_seconds"
_AND_OPERATOR: Final = "and on (namespace, pod) qwen_operator_build_info"
_CYCLE: Final = "qwen_operator_scrape_cycle_duration_seconds"


def _of(series: str, function: str = "max", by: str = "") -> str:
    return promql.current(function, series, _IT, by=by)


def _share(part: str, whole: str) -> str:
    return f"{part} / clamp_min({whole}, 0.001)"


def _quantiles(histogram: str) -> tuple[Line, ...]:
    return tuple(
        Line(promql.quantile(share, histogram, _IT), name, colour)
        for share, name, colour in ((0.99, "p99", c.P99), (0.95, "p95", c.P95), (0.5, "p50", c.P50))
    )


def _failed_passes() -> str:
    failed = promql.rate(f"{_PASSES}_count", f'{_IT},outcome!~"done|postponed"')
    none = f"0 * {promql.rate(f'{_PASSES}_count', _IT)}"
    return _share(f"({failed} or {none})", promql.rate(f"{_PASSES}_count", _IT))


def _failed_requests() -> str:
    failed = promql.rate(_API, f'{_IT},code=~"0|401|403|429|5.."')
    return _share(f"({failed} or 0 * {promql.rate(_API, _IT)})", promql.rate(_API, _IT))


def _mine(series: str) -> str:
    """A process metric by pod; other processes of the namespace have them, too."""
    return f"max by (pod) ({series}{{{_IT}}} {_AND_OPERATOR})"


def _cpu() -> str:
    return (
        f"sum by (pod) (rate(process_cpu_seconds_total{{{_IT}}}[{promql.INTERVAL}])"
        f" {_AND_OPERATOR})"
    )


def _tiles() -> frame.Row:
    unread = promql.rate("qwen_operator_scrape_failures_total", _IT)
    return "", (
        tile(
            Says("Health", "What /healthz says: watches heard, lease kept, work done.", "none", 3),
            Line(_of("qwen_operator_healthy", "min"), "healthy"),
            ((None, c.BAD), (1, c.GOOD)),
            mapped=words({"1": ("Healthy", c.GOOD), "0": ("UNHEALTHY", c.BAD)}),
        ),
        tile(
            Says("Leaders", "Operators that lead; it must be exactly one.", "none", 3),
            Line(_of("qwen_operator_leader", "sum"), "leaders"),
            ((None, c.BAD), (1, c.GOOD), (2, c.BAD)),
        ),
        tile(
            Says("Waiting", "QwenDeployments that wait for a pass.", "none", 3),
            Line(_of("qwen_operator_queue_depth"), "waiting"),
            ((None, c.GOOD), (50, c.WARN), (500, c.BAD)),
        ),
        tile(
            Says("Longest due", "How long the one that waits longest has been due.", "s", 3),
            Line(_of("qwen_operator_queue_oldest_seconds"), "due"),
            ((None, c.GOOD), (10, c.WARN), (60, c.BAD)),
        ),
        tile(
            Says("Failed passes", "Share of passes that ended with an error.", "percentunit", 3),
            Line(_failed_passes(), "failed"),
            ((None, c.GOOD), (0.01, c.WARN), (0.1, c.BAD)),
        ),
        tile(
            Says(
                "API trouble",
                "Share of requests to the API server that were refused, failed or not answered."
                " 404 and 409 are everyday and not counted.",
                "percentunit",
                3,
            ),
            Line(_failed_requests(), "trouble"),
            ((None, c.GOOD), (0.01, c.WARN), (0.1, c.BAD)),
        ),
        tile(
            Says(
                "Unread pods",
                "Share of readings of model pods without a usable answer; normal while they load.",
                "percentunit",
                3,
            ),
            Line(_share(unread, promql.rate(f"{_SCRAPES}_count", _IT)), "unread"),
            ((None, c.GOOD), (0.2, c.WARN), (0.5, c.BAD)),
        ),
        tile(
            Says("Memory", "Resident memory; the chart's limit is 512 MiB.", "bytes", 3),
            Line(f"max ({_mine('process_resident_memory_bytes')})", "resident"),
            ((None, c.GOOD), (350e6, c.WARN), (480e6, c.BAD)),
        ),
    )


def _instances() -> frame.Row:
    columns = (
        Column("pod", "Pod"),
        Column("version", "Version", 100),
        Column("Value #B", "Leads", 90, words={"1": ("leads", c.GOOD), "0": ("stands by", c.IDLE)}),
        Column("Value #C", "Healthy", 90, words=states.YES),
        Column("Value #D", "Up for", 110, unit="s"),
        Column("Value #E", "Memory", 110, unit="bytes"),
        Column("Value #F", "CPU", 90, unit="percentunit"),
    )
    return "", (
        joined(
            Says(
                "Operators",
                "One leads, the others stand by and take over within 20 s.",
                "none",
                24,
            ),
            (
                _of("qwen_operator_build_info", by="pod, version"),
                _of("qwen_operator_leader", by="pod"),
                _of("qwen_operator_healthy", by="pod"),
                f"time() - {_mine('process_start_time_seconds')}",
                _mine("process_resident_memory_bytes"),
                _cpu(),
            ),
            columns,
            height=5,
            sort_by="Pod",
        ),
    )


def _passes() -> frame.Row:
    return "Passes: bringing what exists to what is asked for", (
        graph(
            Says(
                "Passes by outcome",
                "done is well, postponed waits on purpose. unreachable: the API server does not"
                " answer. refused: an administrator must act. defect: a bug, see the log.",
                "ops",
                8,
            ),
            (
                Line(promql.rate(f"{_PASSES}_count", f'{_IT},outcome="done"'), "done", c.GOOD),
                Line(
                    promql.rate(f"{_PASSES}_count", f'{_IT},outcome="postponed"'),
                    "postponed",
                    c.IDLE,
                ),
                Line(
                    promql.rate(
                        f"{_PASSES}_count", f'{_IT},outcome!~"done|postponed"', by="outcome"
                    ),
                    "{{outcome}}",
                    c.BAD,
                ),
            ),
            stacked=True,
        ),
        heat(
            Says(
                "How long passes take",
                "Each cell the passes a second that took that long. Slow ones wait for the API"
                " server.",
                "s",
                8,
            ),
            promql.rate(f"{_PASSES}_bucket", _IT, by="le"),
        ),
        graph(
            Says("Queue", "QwenDeployments that wait for a pass, and passes under way.", "none", 8),
            (
                Line(_of("qwen_operator_queue_depth"), "waiting", c.WAITING),
                Line(_of("qwen_operator_workers_busy"), "under way", c.RUNNING),
            ),
        ),
    )


def _cluster() -> frame.Row:
    return "The API server and the watches", (
        graph(
            Says(
                "Requests by answer",
                "To the API server, without watches; 0 is no answer, 409 somebody else's change.",
                "reqps",
                8,
            ),
            (Line(promql.rate(_API, _IT, by="code"), "{{code}}"),),
            stacked=True,
        ),
        graph(
            Says("Requests by what is asked", "An idle fleet asks for almost nothing.", "reqps", 8),
            (Line(promql.rate(_API, _IT, by="verb, kind"), "{{verb}} {{kind}}"),),
            stacked=True,
        ),
        graph(
            Says(
                "Watches and sweeps",
                "Watches that broke, and full listings by outcome, a minute. Listings are the"
                " safety net under the watches.",
                "opm",
                8,
            ),
            (
                Line(
                    f"60 * {promql.rate('qwen_operator_watch_restarts_total', _IT)}",
                    "watches broke",
                    c.BAD,
                ),
                Line(
                    f"60 * {promql.rate('qwen_operator_sweeps_total', _IT, by='outcome')}",
                    "sweep {{outcome}}",
                ),
            ),
        ),
    )


def _pods() -> frame.Row:
    return "Reading the model pods", (
        graph(
            Says("One reading", "Duration of reading one pod's :8002.", "s", 6),
            _quantiles(_SCRAPES),
        ),
        graph(
            Says(
                "One round over all pods",
                "Rounds that take longer than scrapeIntervalSeconds delay every verdict.",
                "s",
                6,
            ),
            _quantiles(_CYCLE),
        ),
        graph(
            Says("Readings", "Readings a second, and those without a usable answer.", "ops", 6),
            (
                Line(promql.rate(f"{_SCRAPES}_count", _IT), "all", c.TRAFFIC),
                Line(promql.rate("qwen_operator_scrape_failures_total", _IT), "failed", c.BAD),
            ),
        ),
        graph(
            Says("CPU", "Of one core; the operator uses one at most.", "percentunit", 6),
            (Line(_cpu(), "{{pod}}"),),
        ),
    )


def operator() -> dashboard.Dashboard:
    """The dashboard."""
    made = frame.board(
        frame.OPERATOR, "Qwen / Operator", "The operator itself: can its statuses be trusted."
    )
    made.with_variable(
        frame.several(
            frame.choice("operator_namespace", "Operator", "qwen_operator_build_info, namespace")
        )
    )
    rows = (_tiles(), _instances(), _passes(), _cluster(), _pods())
    return frame.filled(made, rows)
