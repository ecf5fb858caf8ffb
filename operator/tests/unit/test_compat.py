"""Engine arguments: known by the image's vLLM, or refused before a pod starts."""

import pytest

from qwen_operator.api.resource import read_resource
from qwen_operator.compat.arguments import complaint, engine_of, value_complaint
from qwen_operator.compat.engine_arguments import ARGUMENTS, TAKES, VERSIONS
from qwen_operator.compat.images import CPU_VERSION, NVIDIA_TAGS, vllm_version
from qwen_operator.desired.children import desired
from qwen_operator.errors import InvalidSpec
from qwen_operator.settings import Settings
from tests.unit.conftest import Bench
from tests.unit.stand_ins import BACKEND, resource_body

NEW = "nvcr.io/nvidia/tritonserver:26.08-vllm-python-py3"
OLD = "nvcr.io/nvidia/tritonserver:25.08-vllm-python-py3"
OWN = "registry.example.com/team/server:7"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (NEW, "0.27.1"),
        ("mirror.example.com/nvidia/tritonserver:25.10-vllm-python-py3", "0.10.2"),
        ("nvcr.io/nvidia/tritonserver:31.01-vllm-python-py3", None),
        ("nvcr.io/nvidia/tritonserver:26.08-py3", None),
        ("localhost/triton-cpu:abc", CPU_VERSION),
        ("localhost/my-triton-cpu:abc", None),
        (OWN, None),
    ],
)
def test_an_image_s_name_tells_its_vllm_or_nothing(image: str, version: str | None) -> None:
    assert vllm_version(image) == version


def test_every_image_s_vllm_is_in_the_table() -> None:
    assert {*NVIDIA_TAGS.values(), CPU_VERSION} <= set(VERSIONS)
    assert all({first, last} <= set(VERSIONS) for first, last in ARGUMENTS.values())


@pytest.mark.parametrize(
    ("name", "image", "words"),
    [
        ("max_num_batched_tokens", NEW, None),
        ("max_model_length", NEW, "did you mean max_model_len?"),
        ("maxNumBatchedTokens", NEW, "did you mean max_num_batched_tokens?"),
        ("zzz", NEW, "vLLM 0.27.1"),
        ("disable_log_requests", OLD, None),
        ("disable_log_requests", NEW, "any more (vLLM 0.9.2 did); use enable_log_requests"),
        ("async_scheduling", OLD, "does not have it yet (vLLM 0.10.1.1 does)"),
        ("max_num_batched_token", OWN, "did you mean max_num_batched_tokens?"),
        ("a_later_invention", OWN, None),
        ("disable_log_requests", OWN, None),
    ],
)
def test_an_argument_is_taken_or_the_right_one_is_named(
    name: str, image: str, words: str | None
) -> None:
    told = complaint(name, engine_of(image))
    assert (told is None) if words is None else (words in str(told))


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("disable_log_requests", "0.10.0", None),
        ("disable_log_requests", "0.14.0", "vLLM 0.14.0 of registry"),
        ("async_scheduling", "0.9.0", "does not have it yet"),
        # Gone between 0.24.0 and 0.27.1: who knows.
        ("calculate_kv_scales", "0.30.0", None),
        ("max_model_length", "0.14.0", "did you mean max_model_len?"),
        ("zzz", "0.14.0", "has no such argument"),
        ("zzz", "0.99.0", None),
        ("max_num_batched_token", "0.99.0", "did you mean max_num_batched_tokens?"),
        ("swap_space", "0.99.0", "any more (vLLM 0.17.1 did); use nothing"),
        ("async_scheduling", "0.7.0", "does not have it yet"),
    ],
)
def test_of_a_private_image_the_told_version_counts(
    name: str, version: str, words: str | None
) -> None:
    told = complaint(name, engine_of(OWN, version))
    assert (told is None) if words is None else (words in str(told))


@pytest.mark.parametrize(
    ("name", "value", "image", "words"),
    [
        ("max_num_batched_tokens", 8192, NEW, None),
        ("max_num_batched_tokens", None, NEW, None),
        ("max_num_batched_tokens", "8192", NEW, "it takes a whole number at least 1, given '8192'"),
        ("max_num_batched_tokens", True, NEW, "given True"),
        ("max_num_batched_tokens", 0, NEW, "at least 1, given 0"),
        ("max_num_batched_tokens", 1.5, NEW, "a whole number"),
        ("cpu_offload_gb", 4, NEW, None),
        ("cpu_offload_gb", 4.5, NEW, None),
        ("cpu_offload_gb", -1, NEW, "a number at least 0"),
        ("kv_cache_metrics_sample", 1, NEW, None),
        ("kv_cache_metrics_sample", 1.5, NEW, "a number above 0 and at most 1, given 1.5"),
        ("kv_cache_metrics_sample", 0, NEW, "above 0"),
        ("enable_chunked_prefill", "true", NEW, "it takes true or false, given 'true'"),
        ("enable_chunked_prefill", 1, NEW, "it takes true or false"),
        ("scheduling_policy", "priority", NEW, None),
        ("scheduling_policy", "fair", NEW, "it takes fcfs, priority, given 'fair'"),
        ("block_size", 32, "tritonserver:25.10-vllm-python-py3", None),
        ("block_size", 33, "tritonserver:25.10-vllm-python-py3", "1, 8, 16, 32, 64, 128"),
        ("block_size", 33, NEW, None),
        ("hf_overrides", {"rope_theta": 1}, NEW, None),
        ("hf_overrides", '{"rope_theta": 1}', NEW, "it takes an object"),
        ("cudagraph_capture_sizes", [1, 2], NEW, None),
        ("cudagraph_capture_sizes", [1, "2"], NEW, "of each part: it takes a whole number"),
        ("compilation_config", 3, NEW, None),
        ("distributed_executor_backend", "mp", NEW, None),
        # Nothing tells the version: what any of them takes may be right.
        ("block_size", 33, OWN, None),
        ("enable_chunked_prefill", "true", OWN, "it takes true or false"),
        ("a_later_invention", "x", OWN, None),
    ],
)
def test_a_value_is_taken_or_what_is_taken_is_told(
    name: str, value: object, image: str, words: str | None
) -> None:
    told = value_complaint(name, value, engine_of(image))
    assert (told is None) if words is None else (words in str(told))


def test_a_field_of_the_spec_is_held_against_the_image_too() -> None:
    triton = {"image": "nvcr.io/nvidia/tritonserver:25.11-vllm-python-py3"}
    body = resource_body(triton=triton, engine={"kvCacheDtype": "float16"})
    with pytest.raises(InvalidSpec, match=r"^spec\.engine\.kvCacheDtype: vLLM 0\.11\.0 .*float16"):
        desired(read_resource(body), Settings(), BACKEND)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_defaults_render_every_vllm_takes(version: str) -> None:
    triton = {"image": OWN, "vllmVersion": version}
    desired(read_resource(resource_body(triton=triton)), Settings(), BACKEND)


def test_every_argument_s_values_are_told_from_a_version_that_has_it() -> None:
    for name, spans in TAKES.items():
        assert [since for since, _ in spans] == [v for v in VERSIONS if v in dict(spans)]
        assert ARGUMENTS[name][0] == spans[0][0]


def test_every_wrong_argument_is_told_at_once() -> None:
    resource = read_resource(resource_body(engine={"extraArgs": {"zzz": 1, "yyy": 2, "seed": 3}}))
    with pytest.raises(InvalidSpec) as refusal:
        desired(resource, Settings(), BACKEND)
    assert str(refusal.value).count("spec.engine.extraArgs.") == 2


async def test_a_wrong_argument_starts_nothing_and_leaves_what_runs(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    before = bench.cluster.writes()
    bench.add(resource_body(engine={"extraArgs": {"max_model_length": 5}}))
    await bench.once()
    conditions = {each["type"]: each for each in bench.cluster.resource()["status"]["conditions"]}
    assert conditions["Accepted"]["status"] == "False"
    assert "spec.engine.extraArgs.max_model_length" in conditions["Ready"]["message"]
    written = bench.cluster.writes()[len(before) :]
    assert {kind for _verb, kind, _name in written} == {"QwenDeployment", "Event"}
