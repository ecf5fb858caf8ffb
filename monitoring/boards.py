"""The generated dashboards read back: every panel with its queries, variables filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "charts" / "qwen-operator" / "dashboards"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        letter: A, B, …
        expression: PromQL, with Grafana's variables.
        legend: Grafana's template for a series' name.
        instant: only the values at the end are asked for.
    """

    letter: str
    expression: str
    legend: str
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a dashboard; rows have no queries.

    Attributes:
        board: uid of its dashboard.
        body: as Grafana reads it.
    """

    board: str
    body: Json

    @property
    def title(self) -> str:
        """What stands above it."""
        return str(self.body["title"])

    @property
    def kind(self) -> str:
        """Grafana's name of the visualisation."""
        return str(self.body["type"])

    @property
    def queries(self) -> list[Query]:
        """What it asks Prometheus."""
        return [
            Query(
                each["refId"],
                each["expr"],
                each.get("legendFormat", ""),
                instant=each.get("instant", False),
            )
            for each in self.body.get("targets") or ()
        ]


def boards() -> dict[str, Json]:
    """Every dashboard by uid, as it stands in the chart."""
    paths = sorted(FOLDER.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def panels() -> Iterator[Panel]:
    """Every panel of every dashboard."""
    for uid, body in boards().items():
        for each in body["panels"]:
            yield Panel(uid, each)


def filled(expression: str, values: Mapping[str, str]) -> str:
    """The expression with values in place of Grafana's variables.

    Raises:
        KeyError: a variable has no value.
    """
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda found: values[found[1] or found[2]], expression)
