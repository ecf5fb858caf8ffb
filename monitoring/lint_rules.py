"""The rules of Grafana's dashboard-linter (of May 2026), in our own words.

The linter is a Go module that no module proxy has, so that no fresh machine can build it; what it
would say of our dashboards is said here, and `monitoring/tests/test_linter_rules.py` has an example
that breaks each rule. That queries are PromQL is promtool's to say; there is no LogQL here.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import yaml
from grafana_foundation_sdk.models import units

from monitoring.boards import FOLDER

Json = dict[str, Any]

UNITS: Final = {str(getattr(units, name)) for name in dir(units) if not name.startswith("_")}
_DRAWN: Final = ("gauge", "graph", "singlestat", "stat", "timeseries")
_ON_TIME_RANGE_CHANGE: Final = 2
_ASKS: Final = re.compile(r"(label_names|label_values|metrics|query_result)\(.+\)")
_GROWTH: Final = re.compile(r"\b(?:rate|irate|increase)\([\w:]+(?:\{[^}]*\})?\[")
_RATE: Final = re.compile(r"\bi?rate\([\w:]+(?:\{[^}]*\})?\[([^\]]+)\]")
_COUNTER: Final = re.compile(r"\b[\w:]+_total\b")


class Rule(NamedTuple):
    """One rule.

    Attributes:
        name: the linter's.
        find: what is wrong with a dashboard, or with one of its panels: the panel's title, empty
            for the dashboard's own, and what is said.
    """

    name: str
    find: Callable[[Json], Iterator[tuple[str, str]]]


def _variables(board: Json, kind: str) -> list[Json]:
    return [each for each in board["templating"]["list"] if each["type"] == kind]


def _panels(board: Json) -> Iterator[Json]:
    return (each for each in board["panels"] if each["type"] in _DRAWN)


def _queries(board: Json) -> Iterator[tuple[str, str]]:
    """Title of a panel, and a query of it."""
    for panel in board["panels"]:
        yield from ((panel["title"], each["expr"]) for each in panel.get("targets") or ())


def _template_datasource(board: Json) -> Iterator[tuple[str, str]]:
    found = [(each["name"], each.get("label")) for each in _variables(board, "datasource")]
    allowed = [("datasource", "Data source"), ("prometheus_datasource", "Prometheus data source")]
    if len(found) != 1 or found[0] not in allowed:
        yield "", f"one variable chooses the data source, by name and label of {allowed}: {found}"


def _template_label_promql(board: Json) -> Iterator[tuple[str, str]]:
    for each in _variables(board, "query"):
        if not _ASKS.fullmatch(each["query"]):
            yield "", f"{each['name']} asks for nothing that Prometheus knows: {each['query']}"


def _template_on_time_change_reload(board: Json) -> Iterator[tuple[str, str]]:
    for each in _variables(board, "query"):
        if each["refresh"] != _ON_TIME_RANGE_CHANGE:
            yield "", f"{each['name']} is not asked for anew when the time range changes"


def _panel_datasource(board: Json) -> Iterator[tuple[str, str]]:
    names = [each["name"] for each in _variables(board, "datasource")]
    allowed = {form % name for name in names for form in ("$%s", "${%s}")}
    for panel in _panels(board):
        if panel["datasource"]["uid"] not in allowed:
            yield panel["title"], "does not ask the chosen data source"


def _panel_title_description(board: Json) -> Iterator[tuple[str, str]]:
    for panel in _panels(board):
        if not panel["title"] or not panel.get("description"):
            yield panel["title"], "has no title or no description"


def _panel_units(board: Json) -> Iterator[tuple[str, str]]:
    for panel in _panels(board):
        config = panel["fieldConfig"]
        changes = [each for part in config["overrides"] for each in part["properties"]]
        if config["defaults"].get("mappings") or any(each["id"] == "mappings" for each in changes):
            continue
        named = [each["value"] for each in changes if each["id"] == "unit"]
        unit = named[-1] if named else config["defaults"].get("unit")
        if unit not in UNITS:
            yield panel["title"], f"has no unit of Grafana's: {unit}"


def _panel_no_targets(board: Json) -> Iterator[tuple[str, str]]:
    for panel in _panels(board):
        if not panel.get("targets"):
            yield panel["title"], "asks for nothing"


def _target_rate_interval(board: Json) -> Iterator[tuple[str, str]]:
    for title, query in _queries(board):
        if not set(_RATE.findall(query)) <= {"$__rate_interval"}:
            yield title, f"a rate over another time than Grafana's interval: {query}"


def _target_counter_agg(board: Json) -> Iterator[tuple[str, str]]:
    for title, query in _queries(board):
        if found := _COUNTER.findall(_GROWTH.sub("", re.sub(r'"[^"]*"', "", query))):
            yield title, f"{found} as they stand, not their rate or increase: {query}"


def _uneditable(board: Json) -> Iterator[tuple[str, str]]:
    if board["editable"]:
        yield "", "can be edited, and what is edited is lost at the next release"


RULES: Final = (
    Rule("template-datasource-rule", _template_datasource),
    Rule("template-label-promql-rule", _template_label_promql),
    Rule("template-on-time-change-reload-rule", _template_on_time_change_reload),
    Rule("panel-datasource-rule", _panel_datasource),
    Rule("panel-title-description-rule", _panel_title_description),
    Rule("panel-units-rule", _panel_units),
    Rule("panel-no-targets-rule", _panel_no_targets),
    Rule("target-rate-interval-rule", _target_rate_interval),
    Rule("target-counter-agg-rule", _target_counter_agg),
    Rule("uneditable-dashboard", _uneditable),
)
ELSEWHERE: Final = {
    "target-promql-rule": "promtool reads every query, in the tests",
    "target-logql-rule": "no dashboard asks Loki",
    "target-logql-auto-rule": "no dashboard asks Loki",
}
"""Its other rules → where they are kept, beside those that `.lint` excludes."""


def excused() -> dict[str, set[str] | None]:
    """Rule → panels that `.lint` excuses from it; None for all."""
    text = (FOLDER / ".lint").read_text(encoding="utf-8")
    return {
        rule: {each["panel"] for each in entry["entries"]} if "entries" in entry else None
        for rule, entry in yaml.safe_load(text)["exclusions"].items()
    }


def complaints(board: Json) -> Iterator[tuple[str, str, str]]:
    """Rule, panel and words of what is wrong with a dashboard, and nobody has a reason for."""
    reasons = excused()
    for rule in RULES:
        panels = reasons.get(rule.name, set())
        for title, words in rule.find(board):
            if panels is not None and title not in panels:
                yield rule.name, title, words
