"""What Grafana's dashboard-linter asks of every dashboard, asked here again (`lint_rules.py`)."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.boards import boards, filled, panels
from monitoring.lint_rules import ELSEWHERE, RULES, UNITS, complaints, excused
from monitoring.prometheus import install, promtool

QUERY = re.compile(r"label_values\((?P<expression>.+), (?P<label>\w+)\)")
VALUES = {"__rate_interval": "5m"}

Json = dict[str, Any]


def variable(board: Json, kind: str) -> Json:
    return next(each for each in board["templating"]["list"] if each["type"] == kind)


def twice(board: Json) -> None:
    board["templating"]["list"].append(variable(board, "datasource"))


def drawn(board: Json) -> Json:
    return next(each for each in board["panels"] if each["type"] == "timeseries")


def asks(query: str) -> Callable[[Json], None]:
    return lambda board: drawn(board)["targets"][0].update(expr=query)


BROKEN: list[tuple[str, Callable[[Json], Any]]] = [
    ("template-datasource-rule", lambda b: variable(b, "datasource").update(label="Source")),
    ("template-datasource-rule", twice),
    ("template-label-promql-rule", lambda b: variable(b, "query").update(query="up")),
    ("template-label-promql-rule", lambda b: variable(b, "query").update(query="label(up, a)")),
    ("template-on-time-change-reload-rule", lambda b: variable(b, "query").update(refresh=1)),
    ("panel-datasource-rule", lambda b: drawn(b)["datasource"].update(uid="prometheus")),
    ("panel-title-description-rule", lambda b: drawn(b).update(description="")),
    ("panel-title-description-rule", lambda b: drawn(b).update(title="")),
    ("panel-units-rule", lambda b: drawn(b)["fieldConfig"]["defaults"].update(unit="furlongs")),
    ("panel-units-rule", lambda b: drawn(b)["fieldConfig"]["defaults"].pop("unit")),
    ("panel-no-targets-rule", lambda b: drawn(b).update(targets=[])),
    ("target-rate-interval-rule", asks('sum(rate(qwen_x_total{a="b"}[5m]))')),
    ("target-counter-agg-rule", asks('sum(qwen_x_total{a="b"})')),
    ("target-counter-agg-rule", asks("rate(a_total[$__rate_interval]) / b_total")),
    ("uneditable-dashboard", lambda b: b.update(editable=True)),
]  # fmt: skip
"""A rule, and what breaks it in a dashboard that was good."""


@pytest.mark.parametrize("uid", boards())
def test_a_dashboard_breaks_no_rule(uid: str) -> None:
    assert list(complaints(boards()[uid])) == []


@pytest.mark.parametrize(("rule", "spoil"), BROKEN, ids=[rule for rule, _ in BROKEN])
def test_what_breaks_a_rule_is_found_by_that_rule(rule: str, spoil: Callable[[Json], Any]) -> None:
    board = copy.deepcopy(boards()["qwen-operator"])
    spoil(board)
    assert {name for name, _, _ in complaints(board)} == {rule}


def test_every_rule_has_an_example_that_breaks_it_and_every_other_one_a_reason() -> None:
    assert {rule.name for rule in RULES} == {rule for rule, _ in BROKEN}
    whole = {rule for rule, titles in excused().items() if titles is None}
    assert not {rule.name for rule in RULES} & (whole | set(ELSEWHERE))
    rules_of_the_linter = 17
    assert len({rule.name for rule in RULES} | whole | set(ELSEWHERE)) == rules_of_the_linter


def test_every_panel_that_is_excused_breaks_the_rule() -> None:
    for name, titles in excused().items():
        if titles is not None:
            (rule,) = (each for each in RULES if each.name == name)
            found = {title for board in boards().values() for title, _ in rule.find(board)}
            assert found == titles


def units_in(value: object) -> set[str]:
    """Every unit that a dashboard's JSON names: of panels, axes and columns."""
    match value:
        case {"id": "unit", "value": str(unit)}:
            return {unit}
        case dict():
            named = {value["unit"]} if isinstance(value.get("unit"), str) else set()
            return named.union(*map(units_in, value.values()))
        case list():
            return set().union(*map(units_in, value))
        case _:
            return set()


def test_every_unit_of_axes_and_columns_is_one_of_grafana_s_too() -> None:
    found = units_in(list(boards().values()))
    assert {"s", "bytes", "currencyUSD"} < found
    assert {each for each in found if not each.startswith("suffix: ")} <= UNITS


def values_of(board: Json) -> dict[str, str]:
    return VALUES | {each["name"]: "1" for each in board["templating"]["list"]}


@pytest.mark.prometheus
def test_every_query_is_promql(tmp_path: Path) -> None:
    install()
    asked = [
        filled(query.expression, values_of(boards()[panel.board]))
        for panel in panels()
        for query in panel.queries
    ]
    for board in boards().values():
        for each in board["templating"]["list"]:
            if each["type"] == "query":
                found = QUERY.fullmatch(each["query"])
                assert found
                asked.append(filled(found["expression"], values_of(board)))
    rules = [{"record": f"query:{number}", "expr": each} for number, each in enumerate(asked)]
    document = {"groups": [{"name": "queries", "rules": rules}]}
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump(document))
    said = promtool("check", "rules", "queries.yaml", folder=tmp_path)
    assert f"SUCCESS: {len(asked)} rules found" in said
