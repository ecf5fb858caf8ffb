"""A run as a picture over the number of streams: rates, gaps, CPU; beside it another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qwenctl.bench.results import Results

_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d")


def streaming(results: Results) -> list[str]:
    """Doors whose answers came in more than one piece."""
    doors = results.doors.items()
    return [door for door, levels in doors if any(f.events > f.requests for f in levels)]


def servers(results: Results) -> list[str]:
    """Doors of servers whose processes were looked at, with the engine in one of its own."""
    doors = results.doors.items()
    return [door for door, levels in doors if any("engine" in f.cpu for f in levels)]


def plot(results: Results, path: Path, before: Results | None = None) -> None:
    """Write the picture, a PNG.

    Raises:
        ImportError: matplotlib is not installed.
    """
    # Only here: most runs need no picture, and it takes half a second.
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  the backend has to be chosen before

    titles = ["tokens a second", "gap between events, p95, ms"]
    if servers(results):
        titles.append("CPU us a token, all processes but the engine's")
    count = len(titles)
    figure, panels = plt.subplots(1, count, figsize=(5.2 * count, 4.2), layout="constrained")
    _draw(results, panels, "o-", "")
    if before is not None:
        _draw(before, panels, "o--", f" ({before.date})")
    # Numbers as people write them: 16 and 400, neither 16.0 nor 4 x 10².
    plain = mpl.ticker.StrMethodFormatter("{x:g}")
    levels = sorted({f.streams for held in results.doors.values() for f in held})
    for axes, title in zip(panels, titles, strict=True):
        _dress(axes, title)
        axes.set_xticks(levels)
        axes.xaxis.set_major_formatter(plain)
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=_steps(*axes.get_ylim())))
        axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    panels[0].legend(frameon=False, fontsize=9)
    figure.suptitle(
        f"{results.shape}, {results.machine.split(';')[0]}, {results.date}", fontsize=11
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw(results: Results, panels: Sequence[Any], line: str, suffix: str) -> None:
    rates, gaps, *cpu = panels
    for colour, (door, levels) in zip(_COLOURS, results.doors.items(), strict=False):
        streams, how = [found.streams for found in levels], {"color": colour, "ms": 4}
        rates.plot(streams, [f.rate for f in levels], line, label=f"{door}{suffix}", **how)
        if door in streaming(results):
            gaps.plot(streams, [f.gap.p95 for f in levels], line, **how)
        if door in servers(results):
            for axes in cpu:
                axes.plot(streams, [f.cpu_beside_engine for f in levels], line, **how)


def _steps(low: float, high: float) -> tuple[float, ...]:
    """Which multiples of powers of ten have numbers: more of them where a scale spans little."""
    if high < 10 * low:
        return (1, 1.5, 2, 3, 4, 5, 7)
    return (1, 2, 5) if high < 100 * low else (1,)


def _dress(axes: Any, title: str) -> None:  # noqa: ANN401  matplotlib's types are partial
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("streams")
    axes.set_title(title, fontsize=10)
    axes.grid(visible=True, which="major", alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
