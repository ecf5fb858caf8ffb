"""The starts on a GPU are what a resource would ask for, and their logs are read as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from benchmarks.gpu.failures import CASES as FAILURES
from benchmarks.gpu.starts import cases, table
from benchmarks.serving.shapes import config
from qwen_operator.fit.shapes import named, of_config

if TYPE_CHECKING:
    from pathlib import Path

_LOG = """\
INFO Model loading took 14.29 GiB memory and 1.5 seconds
INFO Available KV cache memory: {kv} GiB
INFO GPU KV cache size: 99,999 tokens
{{"blocks": {blocks}}}
"""


def test_there_are_enough_and_each_is_rendered_as_the_operator_would() -> None:
    found = {each.name: each for each in cases("H200", "0.24.0")}
    assert len(found) >= 8
    assert found["7b-fp8-cache"].arguments["kv_cache_dtype"] == "fp8"
    assert not any(
        "source" in each.arguments or "model" in each.arguments for each in found.values()
    )


def test_the_longest_fits_and_what_is_above_does_not() -> None:
    found = {each.name: each.predicted for each in cases("H200", "0.24.0")}
    for name in ("7b", "30b-a3b"):
        longest, above = found[f"{name}-longest"], found[f"{name}-above"]
        assert longest.fits
        assert not above.fits
        assert above.plan.length == int(longest.plan.length * 1.05)
        assert longest.plan.length < longest.plan.shape.positions, "memory is what limits it"


def test_a_row_holds_what_was_computed_against_what_was_printed(tmp_path: Path) -> None:
    chosen = [each for each in cases("H200", "0.24.0") if each.name in {"7b", "7b-above"}]
    memory = chosen[0].predicted.memory
    kv = memory.kv_cache / 2**30
    (tmp_path / "7b.log").write_text(_LOG.format(kv=f"{kv:.2f}", blocks=memory.blocks // 2))
    (tmp_path / "7b-above.log").write_text("ValueError: no\n")
    rows = list(table(tmp_path, chosen))[2:]
    assert "7b, 32768 tokens: started" in rows[0]
    assert "0.00 % |" in rows[0]
    assert "+100.00 %" in rows[0]
    assert "did not start | |" in rows[1]


def test_every_model_of_the_cases_has_a_config_that_reads_back_as_itself() -> None:
    models = {each["model"] for each in yaml.safe_load(FAILURES.read_text())}
    shapes = [each.shape for each in cases("H200", "0.24.0")] + [named(each) for each in models]
    for shape in shapes:
        assert of_config(config(shape), shape.name) == shape
