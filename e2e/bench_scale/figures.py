"""What is held against the measurements, and the table that says how they compare."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SCRAPE_INTERVAL_SECONDS = 5.0
"""The operator's default."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        what: what was measured.
        measured: the figure.
        unit: what is written behind it.
        bar: it is met by less than this, or by 0 where this is 0; None where there is no bar.
    """

    what: str
    measured: float
    unit: str = ""
    bar: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the bar is met, or there is none."""
        if self.bar is None:
            return True
        return self.measured < self.bar or (self.bar == 0 and self.measured == 0)

    def cells(self) -> tuple[str, str, str, str]:
        """As a line of the table."""
        behind = f" {self.unit}" if self.unit else ""
        if self.bar is None:
            return self.what, "", f"{_number(self.measured)}{behind}", ""
        bar = "0" if self.bar == 0 else f"< {_number(self.bar)}{behind}"
        return (
            self.what,
            bar,
            f"{_number(self.measured)}{behind}",
            "met" if self.is_met else "MISSED",
        )


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.1f}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many (0 to 1) do not exceed; not a number when there is none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(what: str, values: Sequence[float], bars: dict[float, float]) -> list[Row]:
    """Rows for the median, the 95th and the 99th percentile, in seconds."""
    return [
        Row(f"{what}, p{share * 100:.0f}", percentile(values, share), "s", bars.get(share))
        for share in (0.5, 0.95, 0.99)
    ]


def _joined(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(rows: Sequence[Row]) -> str:
    """All rows in Markdown, columns aligned."""
    lines = [("figure", "bar", "measured", ""), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    pad: Callable[[Sequence[str]], list[str]] = lambda line: [  # noqa: E731 - two uses, one line
        cell.ljust(width) for cell, width in zip(line, widths, strict=True)
    ]
    rule = ["-" * width for width in widths]
    return "\n".join(_joined(each) for each in (pad(lines[0]), rule, *map(pad, lines[1:])))
