from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwen_triton.pacing import LONGEST_PACE_SECONDS, SENDS_PER_SECOND, Pacing, processors

if TYPE_CHECKING:
    from pathlib import Path

QUICK, LARGE = 2.1e-3, 4.9e-3
"""Steps in seconds of a model of 1.8 and one of 7 billion parameters on an H200."""


def hearing(step: float, processors: float = 16, steps: int = 400) -> Pacing:
    pacing = Pacing(processors)
    for number in range(steps):
        pacing.heard(100 + number * step)
    return pacing


def test_turns_are_as_far_apart_as_their_streams_are_many_up_to_what_reads_smoothly() -> None:
    pacing = hearing(QUICK)
    assert pacing.between(1) < pacing.between(2) < QUICK < pacing.between(8)
    assert pacing.between(50) < pacing.between(256) == pacing.between(1000) == LONGEST_PACE_SECONDS


def test_while_the_engine_waits_for_its_gpu_each_token_is_sent_by_itself() -> None:
    assert hearing(LARGE).between(16) < LARGE
    assert hearing(LARGE).between(32) == 32 / SENDS_PER_SECOND


def test_few_processors_are_never_filled_with_sending() -> None:
    assert hearing(LARGE, processors=2).between(16) == 16 / SENDS_PER_SECOND
    assert hearing(0.2, processors=2).between(16) == 16 / SENDS_PER_SECOND


def test_before_the_engine_is_known_and_after_a_pause_nothing_is_taken_for_a_long_step() -> None:
    assert Pacing(16).between(16) == 16 / SENDS_PER_SECOND
    pacing = hearing(QUICK)
    quick = pacing.between(8)
    pacing.heard(5000)
    pacing.heard(9000)
    assert pacing.between(8) == quick


def test_the_long_step_of_a_prompt_says_nothing_of_the_next_ones() -> None:
    pacing = hearing(QUICK)
    pacing.heard(100 + 399 * QUICK + 0.2)
    assert pacing.between(8) == 8 / SENDS_PER_SECOND


@pytest.mark.parametrize(
    ("quota", "many"), [("50000 100000", 0.5), ("max 100000", None), ("", None), (None, None)]
)
def test_a_containers_limit_counts(tmp_path: Path, quota: str | None, many: float | None) -> None:
    path = tmp_path / "cpu.max"
    if quota is not None:
        path.write_text(quota)
    there = processors(tmp_path / "none")
    assert there >= 1
    assert processors(path) == (there if many is None else many)
