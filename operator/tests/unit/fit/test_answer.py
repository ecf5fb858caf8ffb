"""Answers: laws that hold for every plan, and why a plan does not fit."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.answer import answer, surely_not
from qwen_operator.fit.devices import Gpu, gpu, gpus
from qwen_operator.fit.knowledge import generation, read
from qwen_operator.fit.memory import Plan, memory
from qwen_operator.fit.request import plan_of, shape_of
from qwen_operator.fit.shapes import named
from qwen_operator.fit.ways import ways

PLANS = st.builds(
    Plan,
    shape=st.sampled_from([named(each) for each in read("models")["models"]]),
    gpu=st.sampled_from(gpus()),
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.sampled_from([1, 2]),
    utilization=st.floats(0.1, 1),
    kv_bytes=st.sampled_from([1, 2]),
    max_model_len=st.none() | st.integers(1, 300_000),
    max_num_seqs=st.integers(1, 1024),
    eager=st.booleans(),
    vllm=st.sampled_from([generation(each) for each in ("0.8.4", "0.17.1", "0.27.1", "0.32.0")]),
)


@pytest.mark.parametrize(
    ("name", "version", "defaults"),
    [
        ("L4", "0.27.1", (256, 2048)),
        ("A100-80GB", "0.27.1", (256, 2048)),
        ("H100", "0.11.0", (1024, 8192)),
        ("H200", "0.32.0", (1024, 8192)),
        ("B200", "0.27.1", (1024, 8192)),
        ("B200", "0.28.0", (1024, 16384)),
    ],
)
def test_a_step_is_as_large_as_vllms_own_server_makes_it(
    name: str, version: str, defaults: tuple[int, int]
) -> None:
    plan = Plan(named("Qwen3-8B"), gpu(name), vllm=generation(version))
    assert (plan.sequences, plan.step) == defaults
    chosen = replace(plan, max_num_seqs=3, max_num_batched_tokens=300)
    assert (chosen.sequences, chosen.step) == (3, 300)


@given(PLANS)
def test_the_parts_make_the_share(plan: Plan) -> None:
    found = memory(plan)
    parts = found.weights + found.activations + found.other + found.graphs + found.kv_cache
    assert parts == found.share
    assert found.tokens % 16 == 0
    assert found.tokens * found.token <= max(0, found.kv_cache)


@given(PLANS)
def test_a_larger_gpu_never_holds_less(plan: Plan) -> None:
    larger = replace(plan, gpu=Gpu("larger", plan.gpu.memory * 2, plan.gpu.capability))
    assert memory(larger).tokens >= memory(plan).tokens
    assert answer(larger).fits or not answer(plan).fits


@given(PLANS)
def test_what_is_called_the_largest_fits_and_one_block_more_does_not(plan: Plan) -> None:
    found = answer(plan)
    if found.fits and found.longest:
        assert answer(replace(plan, max_model_len=found.longest)).fits
    more = answer(replace(plan, max_model_len=found.memory.sure + 1))
    assert not more.fits


@given(PLANS)
def test_what_is_sure_is_there_with_a_thousandth_of_the_share_less(plan: Plan) -> None:
    found = memory(plan)
    less = replace(found, share=found.share - int(found.share * 0.001))
    assert found.sure == (less.usable if found.cache is None else found.usable) <= found.usable


def test_a_length_that_is_too_near_to_be_sure_says_so() -> None:
    # Seen on an H200: 18,928 tokens were computed and 18,896 were there.
    plan = Plan(
        named("Qwen3-30B-A3B"), gpu("H200"), utilization=0.44, eager=True, max_model_len=18928
    )
    plan = replace(plan, vllm=generation("0.24.0"))
    found = answer(plan)
    assert not found.fits
    assert found.why_not[0].endswith(f"too near to be sure: {found.longest} tokens are")
    assert found.longest == 18_256
    assert not surely_not(plan)


@given(PLANS)
def test_every_way_fits(plan: Plan) -> None:
    assert all(each.answer.fits for each in ways(plan))


def test_weights_that_are_too_large_are_named_with_their_size() -> None:
    found = answer(Plan(named("Qwen2.5-72B-Instruct"), gpu("A100-80GB")))
    assert "weights (135.43 GiB)" in found.why_not[0]
    changes = [each.change for each in ways(found.plan)]
    assert any("Qwen2.5-72B-Instruct-AWQ" in each for each in changes)
    assert any("tensorParallelSize: 4" in each for each in changes)
    assert any("such as B200" in each for each in changes)


def test_a_context_that_is_too_long_names_both_lengths() -> None:
    found = answer(Plan(named("Qwen3-8B"), gpu("RTX-4090")))
    assert "maxModelLen 40960 needs 5.62 GiB" in found.why_not[0]
    shorter = ways(found.plan)[0]
    assert shorter.change.startswith("spec.engine.maxModelLen: ")
    assert shorter.answer.plan.length <= found.memory.tokens


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(named("Qwen1.5-14B"), gpu("H200"), tensor=3), "40 attention heads cannot be shared"),
        (
            Plan(named("Qwen2.5-72B-Instruct-AWQ"), gpu("H200"), tensor=8),
            "quantised in groups of 128",
        ),
        (Plan(named("Qwen3-8B-FP8"), gpu("V100-32GB")), "need compute capability 7.5, and V100"),
        (Plan(named("Qwen2.5-0.5B"), gpu("H200"), pipeline=30), "24 layers cannot make"),
    ],
)
def test_what_vllm_refuses_whatever_the_memory_is_told(plan: Plan, said: str) -> None:
    assert said in answer(plan).why_not[0]


def test_graphs_that_do_not_fit_beside_the_share_are_noted() -> None:
    full = Plan(named("Qwen3-8B"), gpu("L4"), utilization=0.99, vllm=generation("0.9.2"))
    assert any("CUDA graphs" in each for each in answer(full).notes)
    assert not answer(replace(full, eager=True)).notes


def test_a_gpu_without_bfloat16_is_noted() -> None:
    assert "no bfloat16" in answer(Plan(named("Qwen3-0.6B"), gpu("T4"))).notes[0]


def test_concurrency_counts_whole_blocks() -> None:
    found = answer(Plan(named("Qwen3-0.6B"), gpu("L4")))
    assert found.concurrency(17) == found.concurrency(32) == (found.memory.blocks - 1) / 2


@pytest.mark.parametrize(("version", "reserved"), [("0.28.0", 0), ("0.29.0", 1), ("0.32.0", 1)])
def test_newer_versions_keep_a_block_to_themselves(version: str, reserved: int) -> None:
    found = memory(Plan(named("Qwen3-0.6B"), gpu("L4"), vllm=generation(version)))
    assert found.tokens - found.usable == 16 * reserved


def spec(**engine: object) -> Spec:
    source = {"source": "hf://Qwen/Qwen2.5-7B-Instruct"}
    return Spec.model_validate({"model": source, "engine": engine})


def test_a_spec_becomes_the_plan_that_it_asks_for() -> None:
    asked = spec(
        gpuMemoryUtilization=0.7,
        maxModelLen=4096,
        maxNumSeqs=8,
        kvCacheDtype="fp8",
        enforceEager=True,
        extraArgs={"max_num_batched_tokens": 512},
    )
    plan = plan_of(asked, shape_of(asked), gpu("L4"), "0.24.0")
    assert (plan.utilization, plan.length, plan.max_num_seqs) == (0.7, 4096, 8)
    assert (plan.kv_bytes, plan.eager, plan.max_num_batched_tokens) == (1, True, 512)
    assert plan.vllm.graphs_in_share


def test_quantization_of_the_spec_counts_where_the_checkpoint_has_none() -> None:
    asked = spec(quantization="fp8")
    plan = plan_of(asked, shape_of(asked), gpu("L4"), None)
    assert plan.shape.scheme is not None
    assert plan.shape.scheme.name == "fp8"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"model": {"source": "pvc://claim/x"}}, "does not tell which model"),
        ({"model": {"source": "hf://a/b"}}, "not in the table"),
        (
            {"model": {"source": "hf://Qwen/Qwen3-8B"}, "resources": {"gpus": 0}},
            "there is no GPU to fit",
        ),
        (
            {
                "model": {"source": "hf://Qwen/Qwen3-8B"},
                "engine": {"extraArgs": {"max_num_batched_tokens": "x"}},
            },
            "max_num_batched_tokens is 'x'",
        ),
    ],
)
def test_a_spec_that_cannot_be_computed_says_why(made: dict[str, object], said: str) -> None:
    asked = Spec.model_validate(made)
    with pytest.raises(InvalidSpec, match=said):
        plan_of(asked, shape_of(asked), gpu("L4"), None)
