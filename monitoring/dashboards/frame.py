"""What all dashboards share: variables, links to each other, rows, placement."""

from collections.abc import Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitoring.dashboards.panels import SOURCE

TAG: Final = "qwen-operator"
FLEET: Final = "qwen-fleet"
MODEL: Final = "qwen-model"
OPERATOR: Final = "qwen-operator"
"""The uids, by which links find them."""

Row = tuple[str, Sequence[Builder[Panel]]]
"""Title and panels; the first row has no title and is read first."""


def board(uid: str, title: str, meaning: str) -> dashboard.Dashboard:
    """An empty dashboard with its data source to choose and links to the others."""
    others = (
        dashboard.DashboardLink("Qwen dashboards")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(meaning)
        .tags([TAG])
        .readonly()
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(others)
        .with_variable(source)
    )


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A variable whose values Prometheus knows."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values({query})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def several(variable: dashboard.QueryVariable) -> dashboard.QueryVariable:
    """Let several values be chosen, at first all."""
    everything = VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).all_value(".*").current(everything)


def figure(name: str, label: str, meaning: str, default: str) -> dashboard.TextBoxVariable:
    """A variable that a person types in."""
    return (
        dashboard.TextBoxVariable(name)
        .label(label)
        .description(meaning)
        .default_value(default)
        .current(VariableOption(text=default, value=default))
    )


def filled(made: dashboard.Dashboard, rows: Sequence[Row]) -> dashboard.Dashboard:
    """The dashboard with its rows of panels, in reading order, each with an id."""
    number = 0
    for title, panels in rows:
        if title:
            number += 1
            made.with_row(dashboard.Row(title).id(number))
        for panel in panels:
            number += 1
            builder: Any = panel
            made.with_panel(builder.id(number))
    return made
