"""Tables: one row an object, columns from several instant queries joined by their labels."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models import prometheus as queries
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from monitoring.dashboards.panels import SOURCE, Line, Says, Steps, steps, target

_LETTERS: Final = "ABCDEFGH"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        field: a label, or `Value #A` for query A's value.
        title: its head.
        width: in pixels; what is left over when 0.
        unit: Grafana's name; a label's text when empty.
        thresholds: colours of the cell by value.
        words: value → (text, colour).
        link: where a click leads.
    """

    field: str
    title: str
    width: int = 0
    unit: str = ""
    thresholds: Steps = ()
    words: Mapping[str, tuple[str, str]] | None = None
    link: str = ""

    def overrides(self) -> list[DynamicConfigValue]:
        """What differs from a plain cell."""
        made = []
        if self.width:
            made.append(DynamicConfigValue("custom.width", self.width))
        if self.unit:
            made.append(DynamicConfigValue("unit", self.unit))
        if self.words:
            options = {
                value: {"text": text, "color": colour, "index": index}
                for index, (value, (text, colour)) in enumerate(self.words.items())
            }
            made.append(DynamicConfigValue("mappings", [{"type": "value", "options": options}]))
        if self.thresholds:
            built = steps(self.thresholds).build()
            made.append(DynamicConfigValue("thresholds", built))
        if self.thresholds or self.words:
            cell = {"type": "color-background", "mode": "basic"}
            made.append(DynamicConfigValue("custom.cellOptions", cell))
        if self.link:
            link = {"title": f"Open {self.title.lower()}", "url": self.link}
            made.append(DynamicConfigValue("links", [link]))
        return made


def joined(
    says: Says, expressions: Sequence[str], columns: Sequence[Column], *, height: int, sort_by: str
) -> table.Panel:
    """A table of what the queries share labels of, in the columns' order.

    Args:
        says: title, meaning and width.
        expressions: instant queries; the first is A.
        columns: what is shown; all other fields are hidden.
        height: in Grafana's units of 30 pixels.
        sort_by: title of the column that orders the rows, smallest first.
    """
    made = (
        table.Panel()
        .title(says.title)
        .description(says.meaning)
        .datasource(SOURCE)
        .unit(says.unit)
        .span(says.width)
        .height(height)
        .with_transformation(DataTransformerConfig("merge", options={}))
        .with_transformation(_arranged(columns, expressions))
        .sort_by([common.TableSortByFieldState().display_name(sort_by)])
    )
    for letter, expression in zip(_LETTERS, expressions, strict=False):
        query = target(Line(expression, "__auto"), letter, instant=True)
        made.with_target(query.format(queries.PromQueryFormat.TABLE))
    for column in columns:
        if overrides := column.overrides():
            made.override_by_name(column.title, overrides)
    return made


def _arranged(columns: Sequence[Column], expressions: Sequence[str]) -> DataTransformerConfig:
    """Columns in their order under their titles; every other field that comes back is hidden."""
    shown = [each.field for each in columns]
    values = [f"Value #{letter}" for letter, _ in zip(_LETTERS, expressions, strict=False)]
    groups = re.findall(r"\bby \(([^)]*)\)", " ".join(expressions))
    labels = sorted({label.strip() for group in groups for label in group.split(",")})
    hidden = [each for each in (*values, *labels) if each not in shown]
    return DataTransformerConfig(
        "organize",
        options={
            "excludeByName": dict.fromkeys(["Time", *hidden], True),
            "indexByName": {field: index for index, field in enumerate(shown)},
            "renameByName": {each.field: each.title for each in columns},
        },
    )
