"""What Grafana's dashboard-linter asks of every dashboard, asked here again.

The linter itself is a Go module that the module proxy does not have, so that no fresh machine can
build it: `docs/monitoring.md` says what it last said. Its rules about titles, descriptions, the
panels' data source and rates over Grafana's interval are in `test_dashboards.py`; those about `job`
and `instance` are not followed (`.lint` says why), and those about Loki have nothing to look at.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import units

from monitoring.boards import boards, filled, panels
from monitoring.expressions import series_in
from monitoring.prometheus import install, promtool

KNOWN_UNITS = {getattr(units, name) for name in dir(units) if not name.startswith("_")}
QUERY = re.compile(r"label_values\((?P<expression>.+), (?P<label>\w+)\)")
GROWTH = re.compile(r"\b(?:rate|irate|increase)\([\w:]+(?:\{[^}]*\})?\[")
VALUES = {"__rate_interval": "5m"}

Json = dict[str, Any]


def variables(board: Json, kind: str) -> list[Json]:
    return [each for each in board["templating"]["list"] if each["type"] == kind]


def values_of(board: Json) -> dict[str, str]:
    return VALUES | {each["name"]: "1" for each in board["templating"]["list"]}


@pytest.mark.parametrize("uid", boards())
def test_one_variable_chooses_the_prometheus(uid: str) -> None:
    (source,) = variables(boards()[uid], "datasource")
    assert (source["name"], source["label"]) == ("datasource", "Data source")
    assert source["query"] == "prometheus"


@pytest.mark.parametrize("uid", boards())
def test_variables_are_asked_for_anew_when_the_time_range_changes(uid: str) -> None:
    on_time_range_change = 2
    asked = variables(boards()[uid], "query")
    assert asked
    for each in asked:
        assert each["refresh"] == on_time_range_change
        assert QUERY.fullmatch(each["query"]), each["query"]


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


def test_every_unit_is_one_of_grafana_s() -> None:
    found = units_in(list(boards().values()))
    assert {"s", "bytes", "currencyUSD"} < found
    assert {each for each in found if not each.startswith("suffix: ")} <= KNOWN_UNITS


def test_counters_are_only_asked_for_their_rate_or_increase() -> None:
    for panel in panels():
        for query in panel.queries:
            bare = re.sub(
                r"\b(?:rate|irate|increase)\([\w:]+(?:\{[^}]*\})?\[", "", query.expression
            )
            assert not {each for each in series_in(bare) if each.endswith("_total")}, query


@pytest.mark.prometheus
def test_every_query_is_promql(tmp_path: Path) -> None:
    install()
    asked = [
        filled(query.expression, values_of(boards()[panel.board]))
        for panel in panels()
        for query in panel.queries
    ]
    for board in boards().values():
        for each in variables(board, "query"):
            found = QUERY.fullmatch(each["query"])
            assert found
            asked.append(filled(found["expression"], values_of(board)))
    rules = [{"record": f"query:{number}", "expr": each} for number, each in enumerate(asked)]
    document = {"groups": [{"name": "queries", "rules": rules}]}
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump(document))
    said = promtool("check", "rules", "queries.yaml", folder=tmp_path)
    assert f"SUCCESS: {len(asked)} rules found" in said
