"""Percentiles and rates from samples."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import pytest

from qwenctl.bench.results import Results, load
from qwenctl.bench.samples import Sample, figures, percentile, spread

if TYPE_CHECKING:
    from pathlib import Path


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.01) == 7.0
    assert math.isnan(percentile([], 0.5))


def test_times_are_told_in_milliseconds() -> None:
    assert spread([0.001, 0.002]).p50 == pytest.approx(1.0)


def test_the_rate_is_all_tokens_over_the_time_from_first_question_to_last_event() -> None:
    samples = [
        Sample(10.0, array("d", [10.5, 11.0, 12.0])),
        Sample(10.2, array("d", [11.2, 14.0])),
        Sample(10.1, error="refused"),
    ]
    found = figures(samples, streams=3, tokens_each=8, cpu={"stub": 0.004, "engine": 0.004})
    assert (found.tokens, found.events, found.errors, found.requests) == (16, 5, 1, 3)
    assert found.rate == pytest.approx(16 / 4.0)
    assert found.first.p50 == pytest.approx(500.0)
    assert found.gap.p99 == pytest.approx(2800.0)
    assert found.cpu_per_token == pytest.approx(500.0)


def test_a_level_without_an_answer_has_no_rate() -> None:
    found = figures([Sample(1.0, error="refused")], streams=1, tokens_each=8, cpu={})
    assert (found.rate, found.errors) == (0.0, 1)


def test_results_read_back_as_they_were_saved(tmp_path: Path) -> None:
    found = figures([Sample(1.0, array("d", [2.0, 3.0]))], 1, 2, {"stub": 1.0})
    results = Results("two-layers", {"dtype": "auto"}, 2, "a machine", "2026-01-01", {"d": [found]})
    results.save(tmp_path / "out.json")
    assert load(tmp_path / "out.json") == results
