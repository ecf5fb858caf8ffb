"""Engine arguments: known by the image's vLLM, or refused before a pod starts."""

import pytest

from qwen_operator.api.resource import read_resource
from qwen_operator.compat.arguments import complaint
from qwen_operator.compat.engine_arguments import ARGUMENTS, VERSIONS
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
        ("disable_log_requests", NEW, "any more; use enable_log_requests"),
        ("async_scheduling", OLD, "does not have it yet (vLLM 0.10.1.1 does)"),
        ("max_num_batched_token", OWN, "did you mean max_num_batched_tokens?"),
        ("a_later_invention", OWN, None),
        ("disable_log_requests", OWN, None),
    ],
)
def test_an_argument_is_taken_or_the_right_one_is_named(
    name: str, image: str, words: str | None
) -> None:
    told = complaint(name, image)
    assert (told is None) if words is None else (words in str(told))


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
