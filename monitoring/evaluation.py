"""Every query of dashboards and rules, asked of a Prometheus: what fails, and what is empty."""

from collections.abc import Mapping
from typing import Final

from monitoring.boards import filled, panels
from monitoring.contract import BY_SERIES
from monitoring.expressions import series_in
from monitoring.prometheus import Prometheus, PrometheusError
from monitoring.rules.document import ALERTS
from monitoring.rules.recordings import RECORDINGS

_HEADINGS: Final = "row"


def _needs_gpu(expression: str) -> bool:
    known = [BY_SERIES[each] for each in series_in(expression) if each in BY_SERIES]
    return any(each.gpu_only for each in known)


def panel_complaints(
    prometheus: Prometheus,
    values: Mapping[str, str],
    *,
    has_gpus: bool,
    moment: float | None = None,
) -> list[str]:
    """What is wrong with panels: a query that fails, or none of its queries finds anything.

    Args:
        prometheus: one that has scraped the product in use.
        values: of Grafana's variables.
        has_gpus: whether panels about GPUs must find something, too.
        moment: unix seconds; now when left out.
    """
    wrong = []
    for panel in panels():
        expressions = [filled(each.expression, values) for each in panel.queries]
        try:
            found = sum(len(prometheus.query(each, moment)) for each in expressions)
        except PrometheusError as refusal:
            wrong.append(f"{panel.board} / {panel.title}: {refusal}")
            continue
        excused = panel.kind == _HEADINGS or (not has_gpus and any(map(_needs_gpu, expressions)))
        if not found and not excused:
            wrong.append(f"{panel.board} / {panel.title}: empty: {expressions}")
    return wrong


def rule_complaints(prometheus: Prometheus) -> list[str]:
    """What is wrong with loaded rules: failing ones, empty recordings, alerts about nothing."""
    groups = prometheus.ask("rules")["groups"]
    wrong = [
        f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}"
        for group in groups
        for rule in group["rules"]
        if rule["health"] != "ok"
    ]
    wrong += [
        f"{each.name}: records nothing" for each in RECORDINGS if not prometheus.query(each.name)
    ]
    for alert in ALERTS:
        for series in series_in(alert.expression):
            if not prometheus.query(f'count({{__name__="{series}"}})'):
                wrong.append(f"{alert.name}: there is no series {series}")
    return wrong


def firing(prometheus: Prometheus) -> set[str]:
    """Names of alerts that fire."""
    alerts = prometheus.ask("alerts")["alerts"]
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}
