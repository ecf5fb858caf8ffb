"""Tables say what was measured, beside vLLM's own server."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import pytest

from benchmarks.serving.report import table, write_into
from qwenctl.bench.plotting import plot
from qwenctl.bench.results import Results
from qwenctl.bench.samples import Figures, Sample, figures

if TYPE_CHECKING:
    from pathlib import Path


def found(streams: int, seconds: float, events: int = 4) -> Figures:
    at = array("d", [seconds * (each + 1) / events for each in range(events)])
    return figures([Sample(0.0, at)] * streams, streams, 4, {"engine": 1.0, "stub": 0.001})


@pytest.fixture
def results() -> Results:
    doors = {"vLLM": [found(1, 1.0), found(2, 1.0)], "Triton HTTP": [found(1, 0.5, events=2)]}
    return Results("two-layers", {}, 4, "a GPU; 2 cores", "2026-01-01", doors)


def test_a_rate_stands_beside_how_it_compares(results: Results) -> None:
    text = table(results)
    assert "| 1 | 4 | 8 (2.00) |" in text
    # Not measured at that level.
    assert "| 2 | 8 |  |" in text
    assert "2026-01-01, a GPU; 2 cores" in text


def test_merged_events_and_cpu_without_the_engines_are_told(results: Results) -> None:
    text = table(results)
    assert "| 1 | 250.00 / 250.00 | 250.00 / 250.00 (0.50) |" in text
    assert "| 1 | 250 | 250 |" in text


def test_only_the_marked_place_of_a_document_is_written(results: Results) -> None:
    marks = "<!-- bench-serving a: begin -->\nold\n<!-- bench-serving a: end -->"
    made = write_into(f"before\n{marks}\nafter\n", results, "a")
    assert made is not None
    assert made.startswith("before\n")
    assert made.endswith("after\n")
    assert "old" not in made
    assert write_into(made, results, "a") == made
    assert write_into(made, results, "b") is None


def test_the_plot_is_a_picture(results: Results, tmp_path: Path) -> None:
    plot(results, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
