"""A table panel: columns, widths, words and colours as its settings say."""

import textwrap
from dataclasses import dataclass
from typing import Any, Final

from monitoring.boards import Panel
from monitoring.preview.answers import Window
from monitoring.preview.sheet import FAINT, HAIR, Box, Sheet
from monitoring.preview.units import shown

_TITLE: Final = 0.36
_HEAD: Final = 0.24
_LINE: Final = 0.32
_INCHES_PER_PIXEL: Final = 1 / 92
_CHARACTERS_PER_INCH: Final = 13.6

Json = dict[str, Any]
Row = dict[str, str | float]


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell, and on which colour, if any."""

    words: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A column with its settings by Grafana's names, and its place in inches."""

    field: str
    title: str
    settings: Json
    left: float
    width: float

    def cell(self, value: str | float) -> Cell:
        """A value as Grafana would show it."""
        text = value if isinstance(value, str) else f"{value:g}"
        for mapping in self.settings.get("mappings") or ():
            if (found := mapping["options"].get(text)) is not None:
                return Cell(found["text"], found["color"])
        if isinstance(value, str):
            return Cell(value)
        colour = ""
        for step in (self.settings.get("thresholds") or {}).get("steps") or ():
            if step["value"] is None or value >= step["value"]:
                colour = step["color"]
        return Cell(shown(value, self.settings.get("unit", "none")), colour)


def _columns(panel: Panel, box: Box) -> list[Shown]:
    (arranged,) = [
        each["options"] for each in panel.body["transformations"] if each["id"] == "organize"
    ]
    settings = {
        each["matcher"]["options"]: {p["id"]: p["value"] for p in each["properties"]}
        for each in panel.body["fieldConfig"]["overrides"]
    }
    fields = sorted(arranged["indexByName"], key=arranged["indexByName"].get)
    titles = [arranged["renameByName"][field] for field in fields]
    widths = [
        settings.get(title, {}).get("custom.width", 0) * _INCHES_PER_PIXEL for title in titles
    ]
    rest = max(1.0, (box.width - 0.24 - sum(widths)) / max(1, widths.count(0)))
    made, left = [], box.x + 0.12
    for field, title, width in zip(fields, titles, widths, strict=True):
        made.append(Shown(field, title, settings.get(title, {}), left, width or rest))
        left += width or rest
    return made


def table(sheet: Sheet, box: Box, panel: Panel, window: Window) -> None:
    """Rows in the panel's order, as many as fit."""
    sheet.card(box)
    sheet.text((box.x + 0.12, box.y + box.height - 0.17), panel.title, 9, weight="bold")
    columns, rows = _columns(panel, box), window.rows(panel)
    (order,) = panel.body["options"]["sortBy"]
    (by,) = [each.field for each in columns if each.title == order["displayName"]]
    rows.sort(key=lambda row: (row.get(by, 0), str(row.get("namespace")), str(row.get("name"))))
    y = box.y + box.height - _TITLE - _HEAD / 2
    for column in columns:
        sheet.text((column.left + 0.06, y), column.title, 7.5, weight="bold", color=FAINT)
    most = int((box.height - _TITLE - _HEAD) / _LINE)
    y -= _HEAD / 2
    for row in rows[:most]:
        sheet.bar(Box(box.x + 0.12, y - 0.004, box.width - 0.24, 0.008), HAIR)
        y -= _LINE
        for column in columns:
            if column.field in row:
                _draw(sheet, column, column.cell(row[column.field]), y + _LINE / 2)


def _draw(sheet: Sheet, column: Shown, cell: Cell, y: float) -> None:
    ink = {}
    if cell.colour:
        sheet.bar(Box(column.left + 0.02, y - 0.13, column.width - 0.06, 0.26), cell.colour)
        ink = {"color": "white", "weight": "bold"}
    letters = max(4, int(column.width * _CHARACTERS_PER_INCH))
    lines = textwrap.wrap(cell.words, letters)
    if len(lines) > 2:  # noqa: PLR2004 - lines that fit
        lines = [lines[0], f"{lines[1][: letters - 2]} …"]
    sheet.text((column.left + 0.06, y), "\n".join(lines), 7.8, linespacing=1.05, **ink)
