"""A run of `qwenctl bench` as a screen, and beside an earlier one: pure."""

import math
from collections.abc import Iterator, Mapping

from rich.console import RenderableType
from rich.text import Text

from qwenctl.bench.results import Results
from qwenctl.bench.samples import Figures, Spread
from qwenctl.output import plain_table

_WORSE, _BETTER = 0.95, 1.05


def _both(spread: Spread) -> str:
    """p50 / p95 in ms."""
    if math.isnan(spread.p50):
        return "-"
    return f"{spread.p50:.1f} / {spread.p95:.1f}"


def _server(found: Figures) -> tuple[str, str, str]:
    """KV cache, waiting and preempted, as the pods told them; a dash where they did not."""
    told: Mapping[str, float] = found.server
    cache = f"{told['cache']:.0%}" if "cache" in told else "-"
    counts = (f"{told[name]:.0f}" if name in told else "-" for name in ("waiting", "preemptions"))
    return (cache, *counts)  # type: ignore[return-value]


def _row(found: Figures) -> tuple[str, ...]:
    merged = found.events / found.tokens if found.tokens else math.nan
    return (
        str(found.streams),
        f"{found.rate:,.1f}" if found.tokens else "-",
        _both(found.first),
        _both(found.gap),
        "-" if math.isnan(merged) else f"{1 / merged:.1f}" if merged else "-",
        *_server(found),
        str(found.errors),
    )


COLUMNS = (
    "STREAMS",
    "TOKENS/S",
    "FIRST TOKEN MS P50 / P95",
    "GAP MS P50 / P95",
    "TOKENS/EVENT",
    "KV CACHE",
    "WAITING",
    "PREEMPTED",
    "FAILED",
)


def ratio(now: float, before: float) -> Text:
    """How many times as much; green where it is better, red where it is worse."""
    if not before or math.isnan(before) or math.isnan(now):
        return Text("-")
    times = now / before
    colour = "green" if times >= _BETTER else "red" if times < _WORSE else ""
    return Text(f"{times:.2f}", colour)


def pairs(now: Results, before: Results) -> Iterator[tuple[str, Figures, Figures]]:
    """Door, this run's figures and the other's, for each level that both have."""
    for door, levels in now.doors.items():
        others = {found.streams: found for found in before.doors.get(door, ())}
        for found in levels:
            if found.streams in others:
                yield door, found, others[found.streams]


def against(now: Results, before: Results) -> Iterator[RenderableType]:
    """The comparison of two runs."""
    rows = [
        (
            door,
            str(one.streams),
            f"{other.rate:,.1f}",
            f"{one.rate:,.1f}",
            ratio(one.rate, other.rate),
            ratio(other.first.p95, one.first.p95),
            ratio(other.gap.p95, one.gap.p95),
        )
        for door, one, other in pairs(now, before)
    ]
    yield f"against the run of {before.date} ({before.shape}; {before.machine})"
    if not rows:
        yield "  no door was measured with as many streams in both"
        return
    columns = ["DOOR", "STREAMS", "BEFORE", "NOW", "TOKENS/S", "FIRST P95", "GAP P95"]
    yield plain_table(columns, rows)
    yield "TOKENS/S: times as many; FIRST, GAP: times as fast"


def screen(now: Results) -> Iterator[RenderableType]:
    """One run."""
    yield f"{now.shape}, {now.machine}, {now.tokens} new tokens an answer, {now.date}"
    for door, levels in now.doors.items():
        yield ""
        yield door
        yield plain_table(COLUMNS, map(_row, levels))


def line(found: Figures) -> str:
    """One level, as soon as it is over."""
    first, gap = _both(found.first), _both(found.gap)
    return (
        f"{found.streams:>4} streams {found.rate:>9,.1f} tokens/s  first {first} ms  gap {gap} ms"
        f"  {found.errors} failed"
    )


def fallen(now: Results, before: Results, percent: float) -> list[str]:
    """Where tokens a second fell by more than so many percent."""
    return [
        f"{door} with {one.streams} streams: {other.rate:,.1f} → {one.rate:,.1f} tokens/s"
        for door, one, other in pairs(now, before)
        if one.rate < other.rate * (1 - percent / 100)
    ]
