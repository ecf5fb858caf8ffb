"""Before any pod runs: which GPU it is, whether the model fits, and never a refusal on a guess."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.answer import answer, surely_not
from qwen_operator.fit.devices import gpu
from qwen_operator.fit.judging import Judgement, Verdict, judge
from qwen_operator.fit.knowledge import GIB, generation
from qwen_operator.fit.memory import Plan
from qwen_operator.fit.placing import Place, place_of
from qwen_operator.fit.request import plan_of, shape_of
from qwen_operator.fit.shapes import named
from tests.unit.fit.published import cases, plan
from tests.unit.fit.test_answer import PLANS

LARGE = "hf://Qwen/Qwen3-32B"


def spec(source: str = LARGE, **parts: Any) -> Spec:
    return Spec.model_validate({"model": {"source": source}, **parts})


def selecting(**labels: str) -> Spec:
    return spec(scheduling={"nodeSelector": labels})


def requiring(*terms: dict[str, Any]) -> Spec:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return spec(scheduling={"affinity": {"nodeAffinity": required}})


def among(key: str, *values: str, operator: str = "In") -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


PRODUCT = "nvidia.com/gpu.product"


@pytest.mark.parametrize(
    ("told", "name", "by"),
    [
        (selecting(**{PRODUCT: "NVIDIA-L4"}), "L4", "nodeSelector"),
        (selecting(**{"nvidia.com/gpu.memory": "23034"}), "a GPU of 23034 MiB", "nodeSelector"),
        (
            selecting(**{"nvidia.com/gpu.memory": "81920", PRODUCT: "NVIDIA-A100-SXM4-80GB"}),
            "A100-80GB",
            "nodeSelector",
        ),
        (
            selecting(**{"cloud.google.com/gke-accelerator": "nvidia-tesla-a100"}),
            "A100-40GB",
            "nodeSelector",
        ),
        (
            selecting(**{"karpenter.k8s.aws/instance-gpu-memory": "24576"}),
            "a GPU of 24576 MiB",
            "nodeSelector",
        ),
        (requiring(among(PRODUCT, "NVIDIA-L4", "Tesla-T4")), "L4", "affinity"),
        (
            requiring(among(PRODUCT, "NVIDIA-L4"), among(PRODUCT, "NVIDIA-H100-80GB-HBM3")),
            "H100-80GB",
            "affinity",
        ),
        (
            spec(resources={"gpuResourceName": "nvidia.com/mig-3g.40gb"}),
            "MIG-3g.40gb",
            "gpuResourceName",
        ),
        (spec(resources={"gpuProduct": "NVIDIA-L4"}), "L4", "gpuProduct"),
        (spec(resources={"gpuProduct": "24GiB"}), "a GPU of 24 GiB", "gpuProduct"),
        (spec(resources={"gpus": 0, "memory": "64Gi"}), "the CPU", "spec.resources"),
    ],
)
def test_a_resource_tells_its_gpu_in_many_ways(told: Spec, name: str, by: str) -> None:
    found = place_of(told)
    assert found is not None
    assert found.gpu.name == name
    assert by in found.told_by


def test_what_binds_the_pods_wins_over_what_is_only_said() -> None:
    both = spec(
        scheduling={"nodeSelector": {PRODUCT: "NVIDIA-L4"}}, resources={"gpuProduct": "H200"}
    )
    assert place_of(both, "T4") == Place(gpu("L4"), "spec.scheduling.nodeSelector")
    said = spec(resources={"gpuProduct": "H200"})
    assert place_of(said, "T4") == Place(gpu("H200"), "spec.resources.gpuProduct")
    assert place_of(spec(), "T4") == Place(gpu("T4"), "the operator's setting gpuProduct")


@pytest.mark.parametrize(
    "silent",
    [
        spec(),
        selecting(**{"kubernetes.io/arch": "amd64"}),
        selecting(**{"nvidia.com/gpu.memory": "much"}),
        requiring(among(PRODUCT, "NVIDIA-L4"), among("zone", "a")),
        requiring(among(PRODUCT, "NVIDIA-L4", operator="NotIn")),
        requiring({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}),
        requiring(),
        spec(scheduling={"affinity": {"podAffinity": {}}}),
    ],
)
def test_where_nobody_says_which_gpu_nothing_is_judged(silent: Spec) -> None:
    assert place_of(silent) is None
    assert judge(silent, "0.27.1") is None


def judged(told: Spec) -> Judgement:
    found = judge(told, "0.27.1")
    assert found is not None
    return found


def on(product: str, source: str = LARGE, **engine: Any) -> Judgement:
    return judged(spec(source, resources={"gpuProduct": product}, engine=engine))


def test_what_fits_is_told_with_what_it_comes_to() -> None:
    found = on("L4", "hf://Qwen/Qwen3-8B", maxModelLen=8192)
    assert found.verdict is Verdict.FITS
    assert found.message == (
        "Qwen3-8B on L4: the KV cache holds 24976 tokens, 3 requests of maxModelLen 8192 at once"
    )
    assert found.instead == ()


def test_what_surely_does_not_fit_is_told_with_the_nearest_that_does() -> None:
    found = on("L4")
    assert found.verdict is Verdict.DOES_NOT_FIT
    assert "weights (61.02 GiB)" in found.message
    assert any("tensorParallelSize: 4" in each.change for each in found.instead)


def test_what_misses_by_no_more_than_the_computation_may_is_not_refused() -> None:
    verdicts = {
        length: on("L4", "hf://Qwen/Qwen3-8B", maxModelLen=length).verdict
        for length in (24_832, 24_833, 24_976, 30_000, 40_000)
    }
    assert list(verdicts.values()) == [
        Verdict.FITS,
        Verdict.MAY_NOT_FIT,
        Verdict.MAY_NOT_FIT,
        Verdict.MAY_NOT_FIT,
        Verdict.DOES_NOT_FIT,
    ]


@pytest.mark.parametrize("argument", ["cpu_offload_gb", "hf_overrides", "speculative_config"])
def test_an_argument_that_may_change_what_is_computed_keeps_it_from_being_sure(
    argument: str,
) -> None:
    assert on("L4", extraArgs={"seed": 1}).verdict is Verdict.DOES_NOT_FIT
    assert on("L4", extraArgs={argument: 1}).verdict is Verdict.MAY_NOT_FIT


def test_what_somebody_else_calls_by_the_name_may_be_something_else() -> None:
    assert on("L4", "hf://somebody/Qwen3-32B").verdict is Verdict.MAY_NOT_FIT


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (spec("hf://a/b", resources={"gpuProduct": "L4"}), "'a/b' is not in the table"),
        (spec("pvc://a/b", resources={"gpuProduct": "L4"}), "does not tell which model it is"),
        (spec(resources={"gpuProduct": "RX 7900"}), "GPU 'RX 7900' is not in the table"),
    ],
)
def test_what_is_not_known_is_said_to_be_unknown(told: Spec, words: str) -> None:
    found = judged(told)
    assert found.verdict is Verdict.UNKNOWN
    assert words in found.message


def test_of_weights_on_a_volume_nothing_is_said_where_nobody_asked() -> None:
    assert judge(spec("pvc://a/b", resources={"gpus": 0}), None) is None


def test_heads_that_cannot_be_shared_are_sure_without_any_memory() -> None:
    # 28 heads.
    found = judged(
        spec(
            "hf://Qwen/Qwen2.5-7B-Instruct",
            resources={"gpuProduct": "H200", "gpus": 8},
            engine={"tensorParallelSize": 8},
        )
    )
    assert found.verdict is Verdict.DOES_NOT_FIT
    assert "28 attention heads cannot be shared" in found.message


@pytest.mark.parametrize("case", cases(), ids=lambda each: each.raw["name"])
def test_nothing_that_ran_somewhere_would_have_been_refused(case: Any) -> None:
    ran = plan(case.raw)
    tokens = case.raw["seen"].get("tokens") or int(case.raw["seen"]["kv_gib"] * GIB) // (
        case.memory.token
    )
    # With the memory that the log shows, not with the margin for cards that no log shows.
    longest = Plan(**{**_fields(ran), "max_model_len": max(1, tokens)})
    assert not surely_not(longest)


def _fields(of: Plan) -> dict[str, Any]:
    return {name: getattr(of, name) for name in Plan.__slots__}


@given(PLANS)
def test_what_fits_is_never_surely_not(plan: Plan) -> None:
    assert not (answer(plan).fits and surely_not(plan))


@given(PLANS, st.integers(1, 300_000))
def test_a_shorter_context_never_makes_it_worse(plan: Plan, length: int) -> None:
    whole = Plan(**{**_fields(plan), "max_model_len": max(plan.length, length)})
    shorter = Plan(**{**_fields(plan), "max_model_len": min(plan.length, length)})
    assert surely_not(whole) or not surely_not(shorter)


def cpu(source: str = "hf://Qwen/Qwen3-8B", **parts: Any) -> Judgement:
    resources = {"gpus": 0, **parts.pop("resources", {})}
    found = judge(spec(source, resources=resources, **parts), "0.32.0")
    assert found is not None
    return found


def test_on_the_cpu_the_kv_cache_is_what_is_given_in_whole_blocks() -> None:
    found = cpu(engine={"cpuKvCacheSpace": 4, "maxModelLen": 4096}).answer
    assert found is not None
    # 36 layers, 8 heads of 128, keys and values of 2 bytes.
    assert found.memory.token == 2 * 36 * 8 * 128 * 2
    assert found.memory.tokens == 4 * GIB // (found.memory.token * 128) * 128
    assert found.memory.usable == found.memory.tokens - 128


def test_on_the_cpu_too_small_a_kv_cache_is_sure_and_the_larger_is_named() -> None:
    found = cpu(engine={"cpuKvCacheSpace": 4})
    assert found.verdict is Verdict.DOES_NOT_FIT
    assert "4.00 GiB are given (spec.engine.cpuKvCacheSpace)" in found.message
    assert [each.change for each in found.instead] == [
        "spec.engine.maxModelLen: 28928",
        "spec.engine.cpuKvCacheSpace: 6",
    ]


def test_on_the_cpu_weights_beyond_the_memory_limit_are_sure_and_the_cache_is_not() -> None:
    engine = {"cpuKvCacheSpace": 8}
    assert cpu(resources={"memory": "12Gi"}, engine=engine).verdict is Verdict.DOES_NOT_FIT
    # Weights of 15.3 GiB fit; a KV cache is only taken as it is used.
    found = cpu(resources={"memory": "20Gi"}, engine=engine)
    assert found.verdict is Verdict.MAY_NOT_FIT
    assert [each.change for each in found.instead] == ["spec.resources.memory: 27Gi"]
    assert cpu(resources={"memory": "32Gi"}, engine=engine).verdict is Verdict.FITS


def test_a_kv_cache_given_outright_on_a_gpu_is_what_counts() -> None:
    given_bytes = {"kv_cache_memory_bytes": 2 * GIB}
    found = on("L4", "hf://Qwen/Qwen3-8B", maxModelLen=8192, extraArgs=given_bytes)
    assert found.verdict is Verdict.FITS
    assert found.answer is not None
    assert found.answer.memory.kv_cache == 2 * GIB
    short = on("L4", "hf://Qwen/Qwen3-8B", maxModelLen=20_000, extraArgs=given_bytes)
    assert "2.00 GiB is given (kv_cache_memory_bytes)" in short.message


def test_experts_in_blocks_cannot_be_cut_between_them() -> None:
    plan = Plan(named("Qwen3-30B-A3B-FP8"), gpu("H100"), tensor=4, vllm=generation("0.27.1"))
    assert "blocks of 128" in answer(plan).why_not[0]
    whole = Plan(**{**_fields(plan), "whole_experts": True})
    assert answer(whole).fits


def test_a_plan_of_a_gpu_is_not_made_for_the_cpu() -> None:
    told = spec(resources={"gpus": 0})
    with pytest.raises(InvalidSpec, match=r"spec.resources.gpus is 0"):
        plan_of(told, shape_of(told), gpu("L4"), None)
