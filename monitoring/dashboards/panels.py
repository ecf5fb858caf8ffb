"""The kinds of panels that the dashboards are made of, each with one look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import heatmap as heatmap_shapes
from grafana_foundation_sdk.models import prometheus as queries
from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from monitoring.dashboards.colours import GOOD, IDLE

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
_TILE_HEIGHT: Final = 4
_GRAPH_HEIGHT: Final = 8

_NOTHING: Final = SpecialValueMap(
    DashboardSpecialValueMapOptions(
        SpecialValueMatch.NULL_AND_NAN, ValueMappingResult("none", IDLE)
    )
)
"""No traffic, no figure: neither good nor bad."""

Steps = Sequence[tuple[float | None, str]]
"""Colour from a value upwards; the first has no value."""


@dataclass(frozen=True, slots=True)
class Says:
    """What a panel tells a person.

    Attributes:
        title: a few words.
        meaning: what it shows and what to make of it, for the description.
        unit: Grafana's name of it.
        width: of the 24 columns.
    """

    title: str
    meaning: str
    unit: str
    width: int


@dataclass(frozen=True, slots=True)
class Line:
    """One query of a panel.

    Attributes:
        expression: PromQL with Grafana's variables.
        legend: Grafana's template for the name.
        colour: of all its series; Grafana's palette by name when empty.
    """

    expression: str
    legend: str
    colour: str = ""


def target(line: Line, letter: str, *, instant: bool = False) -> prometheus.Dataquery:
    """One query."""
    made = prometheus.Dataquery().expr(line.expression).legend_format(line.legend).ref_id(letter)
    return made.instant() if instant else made.range()


def steps(given: Steps) -> dashboard.ThresholdsConfig:
    """Thresholds by absolute value."""
    made = [Threshold(value, colour) for value, colour in given]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def colour_of(colour: str) -> DynamicConfigValue:
    """An override: this colour, whatever happens."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def words(texts: dict[str, tuple[str, str]]) -> ValueMap:
    """Values shown as coloured words."""
    return ValueMap(
        {value: ValueMappingResult(text, colour) for value, (text, colour) in texts.items()}
    )


def tile(
    says: Says, line: Line, thresholds: Steps = ((None, GOOD),), *, mapped: ValueMap | None = None
) -> stat.Panel:
    """One figure in its colour with a spark line: what is read first."""
    made = (
        stat.Panel()
        .title(says.title)
        .description(says.meaning)
        .datasource(SOURCE)
        .unit(says.unit)
        .span(says.width)
        .height(_TILE_HEIGHT)
        .thresholds(steps(thresholds))
        .color_mode(shapes.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(shapes.BigValueGraphMode.NONE if mapped else shapes.BigValueGraphMode.AREA)
        .text_mode(shapes.BigValueTextMode.VALUE)
        # Not the last that there was: a figure from before the trouble is a lie.
        .reduce_options(common.ReduceDataOptions().calcs(["last"]))
        .no_value("none")
        .mappings([_NOTHING, *([mapped] if mapped else [])])
    )
    return made.with_target(target(line, "A"))


def named_tile(says: Says, line: Line, thresholds: Steps) -> stat.Panel:
    """A name instead of a figure: what stands in the series' label, coloured by its value."""
    made = tile(says, line, thresholds).targets([target(line, "A", instant=True)])
    return made.text_mode(shapes.BigValueTextMode.NAME).graph_mode(shapes.BigValueGraphMode.NONE)


def bars(says: Says, line: Line, colour: str) -> bargauge.Panel:
    """A bar for each series, side by side: how the values now compare."""
    return (
        bargauge.Panel()
        .title(says.title)
        .description(says.meaning)
        .datasource(SOURCE)
        .unit(says.unit)
        .span(says.width)
        .height(_GRAPH_HEIGHT)
        .min(0)
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["last"]))
        .thresholds(steps(((None, colour),)))
        .with_target(target(line, "A", instant=True))
    )


def graph(
    says: Says,
    lines: Sequence[Line],
    *,
    stacked: bool = False,
    limits: Steps = (),
    top: float | None = None,
) -> timeseries.Panel:
    """Curves over time from 0 upwards, with limits as dashed lines and a table of values."""
    legend = (
        common.VizLegendOptions()
        .display_mode(shapes.LegendDisplayMode.TABLE)
        .placement(shapes.LegendPlacement.BOTTOM)
        .calcs(["mean", "max", "lastNotNull"])
        .show_legend(True)
        .sort_by("Last *")
        .sort_desc(True)
    )
    tooltip = common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI)
    made = (
        timeseries.Panel()
        .title(says.title)
        .description(says.meaning)
        .datasource(SOURCE)
        .unit(says.unit)
        .span(says.width)
        .height(_GRAPH_HEIGHT)
        .min(0)
        .line_width(2)
        .fill_opacity(35 if stacked else 8)
        .show_points(shapes.VisibilityMode.NEVER)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(legend)
        .tooltip(tooltip.sort(shapes.SortOrder.DESCENDING))
    )
    if stacked:
        made.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    if top is not None:
        made.max(top)
    if limits:
        style = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        made.thresholds(steps(((None, "transparent"), *limits))).thresholds_style(style)
    for letter, line in zip("ABCDEFGH", lines, strict=False):
        made.with_target(target(line, letter))
        if line.colour:
            made.override_by_query(letter, [colour_of(line.colour)])
    return made


def heat(says: Says, expression: str) -> heatmap.Panel:
    """Where observations lie: time to the right, buckets upwards, the more the darker."""
    query = target(Line(expression, "{{le}}"), "A").format(queries.PromQueryFormat.HEATMAP)
    colours = (
        heatmap.HeatmapColorOptions()
        .mode(heatmap_shapes.HeatmapColorMode.SCHEME)
        .scheme("Oranges")
        .scale(heatmap_shapes.HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(64)
    )
    return (
        heatmap.Panel()
        .title(says.title)
        .description(says.meaning)
        .datasource(SOURCE)
        .unit("short")
        .span(says.width)
        .height(_GRAPH_HEIGHT)
        .calculate(False)
        .cell_gap(1)
        .color(colours)
        .y_axis(heatmap.YAxisConfig().unit(says.unit))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .show_legend()
        .with_target(query)
    )
