"""Each kind of panel, drawn on its card from its own settings and answers."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import matplotlib.colors
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    MaxNLocator,
    MultipleLocator,
)

from monitoring.boards import Panel
from monitoring.preview.answers import Curve, Window
from monitoring.preview.sheet import FAINT, HAIR, INK, Box, Sheet
from monitoring.preview.tables import table
from monitoring.preview.units import shown

_TITLE: Final = 0.27
_LEGEND_ROW: Final = 0.17
_MOST_NAMES: Final = 4
Json = dict[str, Any]


def colour_at(value: float, steps: list[Json]) -> str:
    """The threshold colour of a value."""
    found = steps[0]["color"]
    for step in steps[1:]:
        if value >= step["value"]:
            found = step["color"]
    return str(found)


def _title(sheet: Sheet, box: Box, panel: Panel, ink: str = INK) -> None:
    at = (box.x + 0.12, box.y + box.height - 0.17)
    sheet.text(at, panel.title, 9, weight="bold", color=ink)


def tile(sheet: Sheet, box: Box, panel: Panel, window: Window) -> None:
    """One figure, large, on its colour, above its recent past."""
    curves = [each for each in window.curves(panel) if not np.isnan(each.last)]
    defaults, options = panel.body["fieldConfig"]["defaults"], panel.body["options"]
    value = curves[0].last if curves else float("nan")
    words = shown(value, defaults["unit"]) if curves else defaults["noValue"]
    colour = colour_at(value, defaults["thresholds"]["steps"]) if curves else "#7B8794"
    for mapping in defaults.get("mappings") or ():
        words = mapping["options"].get(f"{value:g}", {}).get("text", words)
    if options["textMode"] == "name" and curves:
        words = curves[0].name
    sheet.card(box, colour)
    _title(sheet, box, panel, "white")
    size = 21 if len(words) <= 9 else 14  # noqa: PLR2004 - characters that fit
    middle = (box.x + box.width / 2, box.y + box.height * 0.47)
    sheet.text(middle, words, size, weight="bold", color="white", ha="center")
    if curves and options["graphMode"] == "area":
        axes = sheet.axes(box.inside(0.04, 0.03, 0.04, box.height * 0.72))
        axes.set_axis_off()
        values = curves[0].values
        axes.fill_between(window.times, values, color="white", alpha=0.22, linewidth=0)
        axes.plot(window.times, values, color="white", alpha=0.8, linewidth=1)
        axes.set_xlim(window.times[0], window.times[-1])
        axes.set_ylim(0, max(float(np.nanmax(values)) * 1.1, 1e-9))


def _colours(sheet: Sheet, panel: Panel, curves: list[Curve]) -> list[str]:
    fixed = {
        each["matcher"]["options"]: each["properties"][0]["value"]["fixedColor"]
        for each in panel.body["fieldConfig"]["overrides"]
        if each["matcher"]["id"] == "byFrameRefID"
    }
    return [fixed.get(each.letter) or sheet.colour_of(each.name) for each in curves]


def _time_axis(axes: Axes, window: Window) -> None:
    times = window.times
    axes.set_xlim(times[0], times[-1])
    every = window.seconds / 6
    # Not at the ends, where they would run into what stands beside.
    axes.xaxis.set_major_locator(FixedLocator(list(times[0] + every * np.arange(1, 6))))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda at, _: datetime.fromtimestamp(at, UTC).strftime("%H:%M"))
    )
    axes.tick_params(labelsize=7, colors=FAINT, length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _legend(sheet: Sheet, box: Box, entries: list[tuple[str, str, str]]) -> None:
    for number, (name, value, colour) in enumerate(entries):
        y = box.y + box.height - (number + 0.5) * _LEGEND_ROW
        sheet.bar(Box(box.x + 0.12, y - 0.025, 0.16, 0.05), colour)
        sheet.text((box.x + 0.36, y), name, 7.5)
        sheet.text((box.x + box.width - 0.14, y), value, 7.5, ha="right", color=FAINT)


def graph(sheet: Sheet, box: Box, panel: Panel, window: Window) -> None:
    """Curves or stacked areas, limits dashed, names with their last values below."""
    sheet.card(box)
    _title(sheet, box, panel)
    curves = [each for each in window.curves(panel) if not np.isnan(each.values).all()]
    defaults = panel.body["fieldConfig"]["defaults"]
    unit, colours = defaults["unit"], _colours(sheet, panel, curves)
    stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    order = sorted(zip(curves, colours, strict=True), key=lambda each: -_size(each[0]))
    named = order[:_MOST_NAMES]
    legend = len(named) * _LEGEND_ROW
    axes = sheet.axes(box.inside(0.62, 0.3 + legend, 0.16, _TITLE + 0.1))
    _lines(axes, window, order, stacked=stacked)
    top = _limits(axes, defaults, window)
    axes.set_ylim(0, defaults.get("max") or max(axes.get_ylim()[1], top, 1e-3))
    axes.yaxis.set_major_locator(_ticks(unit, axes.get_ylim()[1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: shown(at, unit)))
    axes.grid(axis="y", color=HAIR, linewidth=0.8)
    axes.set_axisbelow(True)
    _time_axis(axes, window)
    if not curves:
        axes.text(0.5, 0.5, "No data", transform=axes.transAxes, ha="center", color=FAINT)
    entries = [(curve.name, shown(curve.last, unit), colour) for curve, colour in named]
    _legend(sheet, Box(box.x, box.y + 0.04, box.width, legend), entries)


def _ticks(unit: str, top: float) -> Locator:
    """Round values; of durations beyond a minute round minutes."""
    if unit != "s" or top < 100:  # noqa: PLR2004 - up to 100 s seconds read well
        return MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
    minutes = next(each for each in (0.5, 1, 2, 5, 10, 30, 60, 1e9) if top / 60 / each < 5)  # noqa: PLR2004 - lines
    return MultipleLocator(60 * minutes)


def _size(curve: Curve) -> float:
    return float(np.nanmean(curve.values))


def _lines(axes: Axes, window: Window, order: list[tuple[Curve, str]], *, stacked: bool) -> None:
    ground = np.zeros_like(window.times)
    for curve, colour in order:
        values = curve.values
        if stacked:
            upper = ground + np.nan_to_num(values)
            axes.fill_between(window.times, ground, upper, color=colour, alpha=0.42, linewidth=0)
            edge = np.where(np.nan_to_num(values) > 0, upper, np.nan)
            axes.plot(window.times, edge, color=colour, linewidth=1.2)
            ground = upper
        else:
            axes.fill_between(window.times, values, color=colour, alpha=0.07, linewidth=0)
            axes.plot(window.times, values, color=colour, linewidth=1.5)
    axes.set_ylim(0, None)


def _limits(axes: Axes, defaults: Json, window: Window) -> float:
    """Dashed lines where they are not far above the curves; the highest of them."""
    highest = 0.0
    for step in defaults["thresholds"]["steps"][1:] if "thresholds" in defaults else ():
        if step["value"] < 6 * axes.get_ylim()[1]:
            axes.plot(window.times[[0, -1]], [step["value"]] * 2, "--", color=step["color"], lw=1)
            highest = max(highest, 1.08 * step["value"])
    return highest


def heat(sheet: Sheet, box: Box, panel: Panel, window: Window) -> None:
    """Buckets upwards, time to the right, observations as colour."""
    sheet.card(box)
    _title(sheet, box, panel)
    curves = sorted(window.curves(panel), key=lambda each: float(each.labels["le"]))
    if not curves:
        return
    cumulative = np.nan_to_num(np.array([each.values for each in curves]))
    counts = np.clip(np.diff(cumulative, axis=0, prepend=0), 0, None)
    used = np.flatnonzero(counts.max(axis=1) > 1e-9)  # noqa: PLR2004 - what Grafana leaves out, too
    low, high = max(0, used.min() - 1), min(len(curves), used.max() + 2)
    shades = np.where(counts[low:high] > 1e-9, counts[low:high], np.nan)  # noqa: PLR2004 - as above
    axes = sheet.axes(box.inside(0.72, 0.32, 0.16, _TITLE + 0.1))
    edges = np.arange(high - low + 1)
    times = np.append(window.times, window.times[-1] + window.step)
    colours = matplotlib.colormaps["Oranges"]
    norm = matplotlib.colors.PowerNorm(0.5, vmin=0)
    axes.pcolormesh(times, edges, shades, cmap=colours, norm=norm, rasterized=True)
    unit = panel.body["options"]["yAxis"]["unit"]
    bounds = [float(each.labels["le"]) for each in curves[low:high]]
    every = max(1, len(bounds) // 6)
    axes.set_yticks([each + 1 for each in range(0, len(bounds), every)])
    labels = ["∞" if np.isinf(each) else shown(each, unit) for each in bounds[::every]]
    axes.set_yticklabels(labels)
    axes.grid(axis="y", color=HAIR, linewidth=0.6)
    _time_axis(axes, window)


def bars(sheet: Sheet, box: Box, panel: Panel, window: Window) -> None:
    """A bar for each value, its name above it."""
    sheet.card(box)
    _title(sheet, box, panel)
    curves = window.curves(panel)
    defaults = panel.body["fieldConfig"]["defaults"]
    colour = defaults["thresholds"]["steps"][0]["color"]
    most = max((each.last for each in curves), default=1.0)
    height = (box.height - _TITLE - 0.2) / max(1, len(curves))
    for number, curve in enumerate(curves):
        y = box.y + box.height - _TITLE - 0.1 - (number + 1) * height
        sheet.text((box.x + 0.14, y + 0.72 * height), curve.name, 8.5)
        words = shown(curve.last, defaults["unit"])
        right = (box.x + box.width - 0.14, y + 0.72 * height)
        sheet.text(right, words, 10, ha="right", weight="bold")
        whole = Box(box.x + 0.14, y + 0.16 * height, box.width - 0.28, 0.3 * height)
        sheet.bar(whole, HAIR)
        share = max(0.004, curve.last / most)
        sheet.bar(Box(whole.x, whole.y, whole.width * share, whole.height), colour)


DRAWN: Final[dict[str, Callable[[Sheet, Box, Panel, Window], None]]] = {
    "stat": tile,
    "bargauge": bars,
    "timeseries": graph,
    "heatmap": heat,
    "table": table,
}
