"""Draws every dashboard to docs/images/: `python -m monitoring.preview`.

By default from an invented hour of an invented fleet, kept in a real Prometheus for the occasion;
with `--from URL` from a Prometheus of yours.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from monitoring.boards import Panel, boards
from monitoring.preview.answers import Window
from monitoring.preview.drawing import DRAWN
from monitoring.preview.playing import END, playing
from monitoring.preview.sheet import Sheet
from monitoring.prometheus import Prometheus, install

ROOT: Final = Path(__file__).resolve().parents[2]
_PLAYED: Final = (
    "Invented data (monitoring/preview/story.py), the panels' own queries, a real Prometheus."
)
DEFAULTS: Final = {
    "namespace": ".*",
    "pod": ".*",
    "operator_namespace": ".*",
    "gpu_price": "2.5",
    "__rate_interval": "1m",
}
ONE_MODEL: Final = {"namespace": "chat", "model": "qwen-72b-chat"}


def draw(body: Mapping[str, Any], window: Window, foot: str) -> Sheet:
    """One dashboard."""
    panels = [Panel(body["uid"], each) for each in body["panels"]]
    rows = max(each.body["gridPos"]["y"] + each.body["gridPos"]["h"] for each in panels)
    sheet = Sheet(rows)
    sheet.head(body["title"], body["description"])
    sheet.chips(_chips(body, window))
    sheet.foot(foot)
    for panel in panels:
        box = sheet.place(panel.body["gridPos"])
        if panel.kind == "row":
            sheet.row(box, panel.title)
        else:
            DRAWN[panel.kind](sheet, box, panel, window)
    return sheet


def _chips(body: Mapping[str, Any], window: Window) -> list[tuple[str, str]]:
    """The variables' labels and values, as they stand above a dashboard."""
    return [
        (each["label"], window.variables[each["name"]].replace(".*", "All"))
        for each in body["templating"]["list"]
        if each["type"] != "datasource"
    ]


@contextlib.contextmanager
def _source(url: str) -> Iterator[tuple[Prometheus, float, str]]:
    if url:
        yield Prometheus(url), time.time(), f"Data of {url}."
        return
    install()
    with tempfile.TemporaryDirectory() as folder, playing(Path(folder)) as prometheus:
        yield prometheus, END, _PLAYED


def main() -> int:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="url", default="", help="a Prometheus, http://host:port")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="a folder")
    parser.add_argument("--minutes", type=float, default=60, help="how far back")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a variable's value"
    )
    given = parser.parse_args()
    chosen = dict(each.split("=", 1) for each in given.set)
    given.out.mkdir(parents=True, exist_ok=True)
    with _source(given.url) as (prometheus, end, foot):
        for uid, body in boards().items():
            own = ONE_MODEL if uid == "qwen-model" and not given.url else {}
            window = Window(prometheus, end, given.minutes * 60, {**DEFAULTS, **own, **chosen})
            path = given.out / f"dashboard-{uid.removeprefix('qwen-')}.png"
            draw(body, window, foot).write(path)
            sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
