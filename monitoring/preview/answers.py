"""A panel's queries, asked of Prometheus: curves over time, or values at its end."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from monitoring.boards import Panel, Query, filled
from monitoring.prometheus import Prometheus

Floats = npt.NDArray[np.float64]
POINTS: Final = 240


@dataclass(frozen=True, slots=True)
class Curve:
    """One series over time.

    Attributes:
        letter: of the query.
        name: by the query's legend.
        labels: of the series.
        values: one a step, nan where there is none.
    """

    letter: str
    name: str
    labels: Mapping[str, str]
    values: Floats

    @property
    def last(self) -> float:
        """The value at the end; nan where there is none."""
        return float(self.values[-1])


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at.

    Attributes:
        prometheus: who answers.
        end: unix seconds.
        seconds: how far back.
        variables: values of Grafana's.
    """

    prometheus: Prometheus
    end: float
    seconds: float
    variables: Mapping[str, str]

    @property
    def step(self) -> float:
        """Seconds between two points."""
        return self.seconds / POINTS

    @property
    def times(self) -> Floats:
        """Of the points, in unix seconds."""
        return self.end - self.seconds + self.step * np.arange(POINTS + 1)

    def curves(self, panel: Panel) -> list[Curve]:
        """Every series of every query of a panel."""
        return [curve for query in panel.queries for curve in self._of(query)]

    def _of(self, query: Query) -> list[Curve]:
        span = (self.end - self.seconds, self.end)
        expression = filled(query.expression, self.variables)
        if query.instant:
            return [
                Curve(
                    query.letter,
                    named(query.legend, each["metric"]),
                    each["metric"],
                    np.array([float(each["value"][1])]),
                )
                for each in self.prometheus.query(expression, self.end)
            ]
        made = []
        for series in self.prometheus.query_range(expression, span, self.step):
            values = np.full(POINTS + 1, np.nan)
            for moment, text in series["values"]:
                values[round((float(moment) - span[0]) / self.step)] = float(text)
            labels = series["metric"]
            made.append(Curve(query.letter, named(query.legend, labels), labels, values))
        return sorted(made, key=lambda curve: curve.name)

    def rows(self, panel: Panel) -> list[dict[str, str | float]]:
        """A table's rows: what its instant queries say of the same labels, joined."""
        rows: list[dict[str, str | float]] = []
        for query in panel.queries:
            for series in self.prometheus.query(filled(query.expression, self.variables), self.end):
                labels = {k: v for k, v in series["metric"].items() if k != "__name__"}
                value = float(series["value"][1])
                _join(rows, labels, f"Value #{query.letter}", value)
        return rows


def _join(
    rows: list[dict[str, str | float]], labels: Mapping[str, str], field: str, value: float
) -> None:
    alike = [
        row
        for row in rows
        if field not in row
        and (shared := set(row) & set(labels))
        and all(row[each] == labels[each] for each in shared)
    ]
    for row in alike:
        row |= {**labels, field: value}
    if not alike:
        rows.append({**labels, field: value})


def named(legend: str, labels: Mapping[str, str]) -> str:
    """Grafana's legend with the labels in it."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), legend)
