"""The computed KV cache against what vLLM itself printed on other people's machines."""

from pathlib import Path
from statistics import median

import pytest

from qwen_operator.fit.knowledge import GIB
from qwen_operator.fit.weights import weight_bytes
from tests.unit.fit.published import Case, cases, measured, measured_table, plan, table

ROOT = Path(__file__).resolve().parents[4]
USUAL = 2.0
"""Percent of vLLM's share that a computed KV cache may be off by; docs/fit.md says so."""
OUR_OWN = 5.0
"""Percent of its tokens that the KV cache of a start of our own may be off by."""

WEIGHTS = {
    ("Qwen2.5-7B-Instruct", 1): 14.2487,
    ("Qwen2.5-7B-Instruct-AWQ", 1): 5.2035,
    ("Qwen2.5-0.5B", 1): 0.9276,
    ("Qwen2.5-1.5B-Instruct", 1): 2.8875,
    ("Qwen2.5-32B-Instruct", 2): 30.7098,
    ("DeepSeek-R1-Distill-Qwen-14B", 2): 13.9476,
    ("Qwen3-0.6B", 1): 1.1201,
    ("Qwen3-4B", 1): 7.5552,
    ("Qwen3-8B", 1): 15.2683,
    ("Qwen3-8B-FP8", 1): 8.8,
    ("Qwen3-8B-NVFP4", 1): 5.98,
    ("Qwen3-14B", 1): 27.5185,
    ("Qwen3-32B", 1): 61.03,
    ("Qwen3-32B", 2): 30.59,
    ("Qwen3-30B-A3B", 1): 56.9342,
    ("Qwen3-30B-A3B", 4): 14.2474,
}
"""GiB that vLLM printed as `Model loading took`, by model and tensor parallelism."""


@pytest.mark.parametrize("case", cases(), ids=lambda each: each.raw["name"])
def test_the_kv_cache_is_what_vllm_printed(case: Case) -> None:
    assert abs(case.error) <= case.raw.get("off_by", USUAL), f"{case.error:+.2f} % of the share"


def test_enough_was_checked_that_no_constant_was_found_from() -> None:
    held_out = [each for each in cases() if "calibrates" not in each.raw]
    assert len(held_out) >= 8
    assert median(abs(each.error) for each in held_out) < 0.5


@pytest.mark.parametrize("case", cases(), ids=lambda each: each.raw["name"])
def test_a_published_log_agrees_with_itself(case: Case) -> None:
    seen = case.raw["seen"]
    if {"kv_gib", "tokens"} <= seen.keys():
        taken = seen["tokens"] * case.memory.token / GIB
        assert taken == pytest.approx(seen["kv_gib"], abs=0.01)


@pytest.mark.parametrize(("which", "gib"), WEIGHTS.items(), ids=str)
def test_weights_are_what_vllm_loaded(which: tuple[str, int], gib: float) -> None:
    model, tensor = which
    raw = {"model": model, "plan": {"gib": 80, "utilization": 0.9, "version": "0", "seqs": 1}}
    raw["plan"] |= {"batched": 1}  # type: ignore[operator]
    computed = weight_bytes(plan(raw).shape, tensor, 1, 2) / GIB
    assert computed == pytest.approx(gib, rel=0.015)


@pytest.mark.parametrize("case", measured(), ids=lambda each: each.raw["name"])
def test_a_start_of_our_own_had_the_tokens_that_were_computed(case: Case) -> None:
    assert abs(case.error_in_tokens) <= OUR_OWN, f"{case.error_in_tokens:+.1f} %"
    weights = weight_bytes(plan(case.raw).shape, 1, 1, case.raw["plan"].get("dtype_bytes", 2)) / GIB
    assert weights == pytest.approx(case.raw["seen"]["weights_gib"], rel=0.04)


def test_the_documented_tables_are_the_computed_ones() -> None:
    page = (ROOT / "docs" / "fit.md").read_text(encoding="utf-8")
    for each in (table(), measured_table()):
        assert each in page, f"docs/fit.md holds another table than:\n{each}"
