"""Boxes, arrows and bars as SVG, to be read in light and dark.

A picture brings its own ground, so that it can be read on a page of either colour; where the
reader's system is dark, so is the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

_STYLE = """\
.ground { fill: #f7f7fb; stroke: #dfe0ea }
.box { fill: #ffffff; stroke: #84879a }
.ours { fill: #edeafd; stroke: #5040c4 }
.soft { fill: #eef0f4; stroke: #b9bcc9 }
.good { fill: #def3ea; stroke: #0b6e4f }
.bad { fill: #fde9e7; stroke: #b3261e }
.part-1 { fill: #5040c4 } .part-2 { fill: #1d5fb8 } .part-3 { fill: #8a6d1a }
.part-4 { fill: #5d6072 } .part-5 { fill: #0b6e4f } .part-6 { fill: #c9ccd6 }
text { fill: #1b1c26; font: 14px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", \
"DejaVu Sans", sans-serif }
.head { font-weight: 600 }
.quiet { fill: #585b6d; font-size: 12.5px }
.code { font: 12.5px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
.arrow { stroke: #585b6d; stroke-width: 1.5; fill: none }
.tip { fill: #585b6d; stroke: none }
@media (prefers-color-scheme: dark) {
.ground { fill: #191b23; stroke: #2c2f3b }
.box { fill: #22252f; stroke: #6d7184 }
.ours { fill: #29254a; stroke: #a99dff }
.soft { fill: #20222b; stroke: #4a4e5d }
.good { fill: #12342a; stroke: #4fd1a1 }
.bad { fill: #42191a; stroke: #ff9a90 }
.part-1 { fill: #a99dff } .part-2 { fill: #7ab8ff } .part-3 { fill: #e0bf5c }
.part-4 { fill: #a6aabd } .part-5 { fill: #4fd1a1 } .part-6 { fill: #3a3e4c }
text { fill: #eceef5 }
.quiet, .tip { fill: #a6aabd }
.arrow { stroke: #a6aabd }
}
"""
_LINE = 19
_PAD = 12
_WIDTHS = {"head": 7.9, "quiet": 6.7, "code": 7.6}
"""Of a letter on average, on the wide side: fonts differ."""

Point = tuple[float, float]


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle that was drawn, by which arrows find it."""

    x: float
    y: float
    width: float
    height: float

    def at(self, side: str, share: float = 0.5) -> Point:
        """A point on a side: left, right, top or bottom, so far along it."""
        match side:
            case "left":
                return self.x, self.y + share * self.height
            case "right":
                return self.x + self.width, self.y + share * self.height
            case "top":
                return self.x + share * self.width, self.y
            case _:
                return self.x + share * self.width, self.y + self.height


@dataclass
class Sheet:
    """A picture in the making.

    Attributes:
        width: in pixels.
        height: in pixels.
        title: what is seen, in a few words.
        told: the same in sentences, for who cannot see it.
    """

    width: int
    height: int
    title: str
    told: str
    _parts: list[str] = field(default_factory=list)

    def text(self, place: Point, words: str, kind: str = "", anchor: str = "start") -> None:
        """One line of text; the point is where its baseline begins, ends or has its middle."""
        attributes = f' class="{kind}"' if kind else ""
        attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
        x, y = place
        self._parts.append(f'<text x="{_n(x)}" y="{_n(y)}"{attributes}>{escape(words)}</text>')

    def box(
        self,
        place: Point,
        size: Point,
        lines: Sequence[str],
        kind: str = "box",
        *,
        top: bool = False,
    ) -> Box:
        """A box with a heading and lines below it; `code` within backquotes, centred unless `top`.

        Raises:
            ValueError: a line is too long for it.
        """
        (x, y), (width, height) = place, size
        self._parts.append(
            f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}"'
            f' height="{_n(height)}" rx="9"/>'
        )
        begin = y + _PAD + 12 if top else y + (height - _LINE * len(lines)) / 2 + 14
        for number, line in enumerate(lines):
            words = line.strip("`")
            kinds = "code" if line.startswith("`") else ("head" if number == 0 else "quiet")
            if len(words) * _WIDTHS[kinds] > width - _PAD:
                raise ValueError(f"{self.title}: {words!r} does not fit a box of {width}")
            where = (x + _PAD, begin) if top else (x + width / 2, begin)
            self.text(where, words, kinds, "start" if top else "middle")
            begin += _LINE
        return Box(x, y, width, height)

    def arrow(self, *points: Point, words: str = "", beside: Point = (0, -7)) -> None:
        """An arrow along the points; words stand at its middle, moved by `beside`."""
        path = " ".join(
            f"{'M' if number == 0 else 'L'}{_n(x)} {_n(y)}" for number, (x, y) in enumerate(points)
        )
        self._parts.append(f'<path class="arrow" d="{path}"/>')
        (x0, y0), (x, y) = points[-2:]
        length = max(((x - x0) ** 2 + (y - y0) ** 2) ** 0.5, 1e-6)
        ux, uy = (x - x0) / length, (y - y0) / length
        wings = [(x - 9 * ux + s * 4.5 * uy, y - 9 * uy - s * 4.5 * ux) for s in (1, -1)]
        tip = " ".join(f"{_n(px)},{_n(py)}" for px, py in [(x, y), *wings])
        self._parts.append(f'<polygon class="tip" points="{tip}"/>')
        if words:
            middle = (points[0][0] + x) / 2 + beside[0], (points[0][1] + y) / 2 + beside[1]
            self.text(middle, words, "quiet", "middle")

    def bar(self, place: Point, size: Point, parts: Sequence[tuple[str, float]]) -> None:
        """Shares side by side: (class, share of the width)."""
        (x, y), (width, height) = place, size
        for kind, share in parts:
            self._parts.append(
                f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(share * width)}"'
                f' height="{_n(height)}"/>'
            )
            x += share * width

    def svg(self) -> str:
        """The whole file."""
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}"'
        ground = f'<rect class="ground" x="0.5" y="0.5" width="{self.width - 1}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} height="{self.height}" role="img"'
            f' aria-labelledby="title told">\n'
            f'<title id="title">{escape(self.title)}</title>\n'
            f'<desc id="told">{escape(self.told)}</desc>\n'
            f"<style>\n{_STYLE}</style>\n"
            f'{ground} height="{self.height - 1}" rx="12"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )
