"""Every panel explains itself, and asks only for what the contract has."""

import re

import pytest

from monitoring.boards import Panel, boards, panels
from monitoring.contract import BY_SERIES, METRICS
from monitoring.dashboards import frame, promql
from monitoring.expressions import labels_in, series_in
from monitoring.labels import LABELS

PANELS = list(panels())
DRAWN = [each for each in PANELS if each.kind != "row"]


def name(panel: Panel) -> str:
    return f"{panel.board}/{panel.title}"


def variables(uid: str) -> set[str]:
    return {each["name"] for each in boards()[uid]["templating"]["list"]}


def test_there_are_the_three_dashboards_and_each_links_to_the_others() -> None:
    assert set(boards()) == {frame.FLEET, frame.MODEL, frame.OPERATOR}
    for uid, body in boards().items():
        assert body["uid"] == uid
        assert body["tags"] == [frame.TAG]
        assert [link["tags"] for link in body["links"]] == [[frame.TAG]]
        assert body["editable"] is False


@pytest.mark.parametrize("panel", DRAWN, ids=name)
def test_it_has_a_title_a_description_a_unit_and_a_place(panel: Panel) -> None:
    assert len(panel.title) <= 48
    assert len(panel.body["description"]) >= 20
    assert panel.body["description"].endswith(".")
    assert panel.body["fieldConfig"]["defaults"]["unit"]
    place = panel.body["gridPos"]
    assert place["x"] + place["w"] <= 24


@pytest.mark.parametrize("panel", DRAWN, ids=name)
def test_it_asks_the_chosen_source_for_series_and_labels_of_the_contract(panel: Panel) -> None:
    assert panel.body["datasource"]["uid"] == "${datasource}"
    assert panel.queries
    for query in panel.queries:
        assert series_in(query.expression)
        assert series_in(query.expression) <= set(BY_SERIES)
        assert labels_in(query.expression) <= set(LABELS) | {"le", "pod", "namespace"}
        used = re.findall(r"\$\{?(\w+)", query.expression)
        assert set(used) <= variables(panel.board) | {"__rate_interval"}


@pytest.mark.parametrize("panel", DRAWN, ids=name)
def test_rates_are_of_counters_over_grafana_s_interval(panel: Panel) -> None:
    for query in panel.queries:
        rates = re.findall(r"\brate\(([\w:]+)\{?[^}\[]*\}?\[([^\]]+)\]", query.expression)
        assert len(rates) == query.expression.count("rate(")
        for series, interval in rates:
            assert interval == promql.INTERVAL
            assert BY_SERIES[series].type.value in ("counter", "histogram")


def test_every_metric_is_shown_somewhere_or_said_not_to_be() -> None:
    shown = {BY_SERIES[s].name for p in DRAWN for q in p.queries for s in series_in(q.expression)}
    # The fleet's own counts replace it; what is left is for other people's dashboards.
    kept_for_others = {
        "qwen_operator_resources",
        "qwen_operator_last_event_timestamp_seconds",
        # A model's own last start is shown; this is for objectives over all starts.
        "qwen_operator_time_to_ready_seconds",
        # Its lack is a matter of the image, and the Ready condition says it.
        "qwen_openai_endpoint_up",
        "process_open_fds",
        "process_max_fds",
        "process_virtual_memory_bytes",
        "nv_inference_request_success",
        "nv_inference_request_failure",
        "nv_gpu_memory_used_bytes",
        "nv_gpu_memory_total_bytes",
        "nv_gpu_power_usage",
    }
    assert {each.name for each in METRICS} - shown == kept_for_others


def test_tables_hide_every_field_that_is_no_column() -> None:
    for panel in (each for each in DRAWN if each.kind == "table"):
        _, organize = panel.body["transformations"]
        values = {f"Value #{each.letter}" for each in panel.queries}
        groups = " ".join(each.expression for each in panel.queries)
        by = {
            label.strip()
            for group in re.findall(r"by \(([^)]*)\)", groups)
            for label in group.split(",")
        }
        placed = set(organize["options"]["indexByName"])
        hidden = set(organize["options"]["excludeByName"])
        assert values | by | {"Time"} == placed | hidden
        assert not placed & hidden


def test_no_two_panels_of_a_dashboard_overlap() -> None:
    taken: dict[tuple[str, int, int], str] = {}
    for panel in PANELS:
        place = panel.body["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((panel.board, x, y), panel.title) == panel.title


def test_a_series_that_the_contract_lacks_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="vllm:gone_total"):
        promql.rate("vllm:gone_total", "")
    with pytest.raises(ValueError, match="qwen_engine_up"):
        promql.quantile(0.5, "qwen_engine_up", "")
