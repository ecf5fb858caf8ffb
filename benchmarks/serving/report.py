"""Tables and plots from raw results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwenctl.bench.plotting import servers, streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwenctl.bench.results import Results
    from qwenctl.bench.samples import Figures

REFERENCE = "vLLM"
_BEGIN, _END = "<!-- bench-serving {}: begin -->", "<!-- bench-serving {}: end -->"


def table(results: Results) -> str:
    """One row a level, one column a door; behind a rate, how it compares with vLLM's own server."""
    doors = list(results.doors)
    told = (
        f"{results.date}, {results.machine}. Shape {results.shape}, {results.tokens} new tokens an"
        " answer, streamed, closed loop."
    )
    lines = [
        told,
        "",
        "Tokens a second, all streams together (in brackets: against vLLM's own server):",
        "",
        *_grid(results, doors, _rate),
        "",
        "Gap between two events of a stream, p50 / p95 in ms (events a token where merged):",
        "",
        *_grid(results, streaming(results), lambda found, _: _gap(found)),
        "",
        "First event, p50 / p95 in ms:",
        "",
        *_grid(results, streaming(results), lambda found, _: _first(found)),
        "",
        "CPU microseconds a token, all processes of a server together but the engine's:",
        "",
        *_grid(results, servers(results), lambda found, _: _cpu(found)),
    ]
    return "\n".join(lines)


def write_into(text: str, results: Results, name: str) -> str | None:
    """A document with a run's table in the place that is marked with the run's name.

    Returns:
        Nothing where it has no such place.
    """
    begin, end = _BEGIN.format(name), _END.format(name)
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not place.search(text):
        return None
    return place.sub(lambda _: f"{begin}\n{table(results)}\n{end}", text)


def _grid(
    results: Results, doors: Sequence[str], cell: Callable[[Figures, Figures | None], str]
) -> list[str]:
    levels = sorted({found.streams for door in doors for found in results.doors[door]})
    by_level = {door: {f.streams: f for f in results.doors[door]} for door in doors}
    lines = ["| streams | " + " | ".join(doors) + " |", "|---:" * (len(doors) + 1) + "|"]
    for level in levels:
        reference = by_level.get(REFERENCE, {}).get(level)
        cells = [
            cell(by_level[door][level], None if door == REFERENCE else reference)
            if level in by_level[door]
            else ""
            for door in doors
        ]
        lines.append(f"| {level} | " + " | ".join(cells) + " |")
    return lines


def _rate(found: Figures, reference: Figures | None) -> str:
    against = f" ({found.rate / reference.rate:.2f})" if reference and reference.rate else ""
    return f"{found.rate:,.0f}{against}"


def _gap(found: Figures) -> str:
    merged = found.events / found.tokens if found.tokens else 1.0
    shown = f" ({merged:.2f})" if round(merged, 2) < 1 else ""
    return f"{found.gap.p50:.2f} / {found.gap.p95:.2f}{shown}"


def _first(found: Figures) -> str:
    return f"{found.first.p50:.0f} / {found.first.p95:.0f}"


def _cpu(found: Figures) -> str:
    return f"{found.cpu_beside_engine:.0f}" if found.tokens else ""
