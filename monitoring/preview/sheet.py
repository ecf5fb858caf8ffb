"""The sheet that a dashboard is drawn on: a card for each panel where Grafana would put it."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

mpl.use("Agg")
mpl.rcParams["font.family"] = "DejaVu Sans"
mpl.rcParams["text.parse_math"] = False

INK: Final = "#24292E"
FAINT: Final = "#6A737D"
HAIR: Final = "#DFE3E8"
PAPER: Final = "#E8EBEF"

_PALETTE: Final = (
    "#3B7DD8", "#8E5BD0", "#2A9D8F", "#E8A317", "#C7567B", "#6C8F3C", "#4BA3C3", "#B5651D",
)  # fmt: skip

_COLUMN: Final = 0.72
_ROW: Final = 0.33
_MARGIN: Final = 0.22
_HEAD: Final = 0.72
_FOOT: Final = 0.34
_GAP: Final = 0.045
DPI: Final = 100


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in inches from the sheet's lower left corner."""

    x: float
    y: float
    width: float
    height: float

    def inside(self, left: float, bottom: float, right: float, top: float) -> "Box":
        """What is left inside margins."""
        return Box(
            self.x + left, self.y + bottom, self.width - left - right, self.height - bottom - top
        )


class Sheet:
    """A figure in which everything is placed in inches."""

    def __init__(self, rows: int) -> None:
        self.width = 24 * _COLUMN + 2 * _MARGIN
        self.height = rows * _ROW + _HEAD + _FOOT + _MARGIN
        self._colours: dict[str, str] = {}
        self.figure = Figure(figsize=(self.width, self.height), dpi=DPI, facecolor=PAPER)

    def colour_of(self, name: str) -> str:
        """The same for the same name on the whole sheet."""
        return self._colours.setdefault(name, _PALETTE[len(self._colours) % len(_PALETTE)])

    def place(self, at: dict[str, int]) -> Box:
        """Where a panel's gridPos is."""
        top = self.height - _HEAD - at["y"] * _ROW
        box = Box(
            _MARGIN + at["x"] * _COLUMN, top - at["h"] * _ROW, at["w"] * _COLUMN, at["h"] * _ROW
        )
        return box.inside(_GAP, _GAP, _GAP, _GAP)

    def axes(self, box: Box) -> Axes:
        """Axes that fill a box."""
        place = (
            box.x / self.width,
            box.y / self.height,
            box.width / self.width,
            box.height / self.height,
        )
        return self.figure.add_axes(place)

    def text(self, at: tuple[float, float], words: str, size: float, **style: object) -> None:
        """Words at a point in inches."""
        style = {"color": INK, "ha": "left", "va": "center", **style}
        self.figure.text(at[0] / self.width, at[1] / self.height, words, fontsize=size, **style)  # type: ignore[arg-type]

    def card(self, box: Box, colour: str = "white") -> None:
        """A rounded rectangle, with a hair line unless it is coloured."""
        edge = HAIR if colour == "white" else colour
        self._round(box, colour, edge, 0.06)

    def _round(self, box: Box, colour: str, edge: str, radius: float) -> None:
        scale = 1 / self.width
        patch = FancyBboxPatch(
            (box.x * scale, box.y / self.height),
            box.width * scale,
            box.height / self.height,
            boxstyle=f"round,pad=0,rounding_size={radius * scale}",
            mutation_aspect=self.width / self.height,
            facecolor=colour,
            edgecolor=edge,
            linewidth=0.8,
            transform=self.figure.transFigure,
            zorder=-1,
        )
        self.figure.add_artist(patch)

    def bar(self, box: Box, colour: str) -> None:
        """A small coloured rectangle, for a table's cell or a legend's key."""
        self._round(box, colour, colour, 0.025)

    def write(self, path: Path) -> None:
        """A PNG of 256 colours: a third of the size, and nobody sees it."""
        drawn = io.BytesIO()
        self.figure.savefig(drawn)
        # This method keeps rare colours as they are; the default one mixes them with others.
        few = Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.FASTOCTREE)
        few.save(path, optimize=True)

    def head(self, title: str, words: str) -> None:
        """The dashboard's title and what it is."""
        y = self.height - _HEAD / 2 - 0.02
        self.text((_MARGIN + _GAP, y + 0.1), title, 17, weight="bold")
        self.text((_MARGIN + _GAP, y - 0.18), words, 9.5, color=FAINT)

    def chips(self, pairs: list[tuple[str, str]]) -> None:
        """What is chosen, at the right of the title."""
        right, y = self.width - _MARGIN - _GAP, self.height - _HEAD / 2 - 0.02
        for label, value in reversed(pairs):
            width = 0.3 + 0.085 * (len(label) + len(value) + 2)
            self.card(Box(right - width, y - 0.15, width, 0.3))
            self.text((right - width + 0.12, y), label, 8.5, color=FAINT)
            self.text((right - 0.12, y), value, 8.5, ha="right", weight="bold")
            right -= width + 0.1

    def foot(self, words: str) -> None:
        """Where the data come from."""
        self.text((_MARGIN + _GAP, _FOOT / 2 + 0.05), words, 8, color=FAINT)

    def row(self, box: Box, title: str) -> None:
        """The title of a row of panels."""
        self.text((box.x + 0.05, box.y + box.height / 2), f"▾  {title}", 11, weight="bold")
