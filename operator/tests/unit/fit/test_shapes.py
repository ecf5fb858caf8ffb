"""Shapes: from the table by any checkpoint's name, and from a config.json."""

from typing import Any

import pytest

from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.devices import gpu, gpus
from qwen_operator.fit.knowledge import GIB, read, scheme
from qwen_operator.fit.shapes import named, of_config
from qwen_operator.fit.weights import parameters

CONFIG: dict[str, Any] = {
    "model_type": "qwen3",
    "num_hidden_layers": 36,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 12288,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


@pytest.mark.parametrize("model", read("models")["models"])
def test_every_shape_gives_the_published_number_of_parameters(model: str) -> None:
    billions = parameters(named(model)).total / 1e9
    assert billions == pytest.approx(read("models")["models"][model]["billions"], abs=0.006)


@pytest.mark.parametrize("model", read("models")["models"])
def test_every_shape_has_sources_that_exist(model: str) -> None:
    sources = read("models")["models"][model]["sources"]
    assert sources
    assert set(sources) <= read("models")["sources"].keys()


@pytest.mark.parametrize(
    ("model", "layers", "positions", "scheme_name"),
    [
        ("Qwen/Qwen1.5-1.8B-Chat", 24, 32768, None),
        ("Qwen/Qwen2.5-7B", 28, 131072, None),
        ("Qwen/Qwen2.5-7B-Instruct", 28, 32768, None),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", 28, 32768, "awq"),
        ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8", 28, 32768, "gptq-int8"),
        ("Qwen/Qwen2.5-7B-Instruct-1M", 28, 1010000, None),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", 64, 32768, None),
        ("Qwen/Qwen2.5-Math-1.5B-Instruct", 28, 4096, None),
        ("Qwen/QwQ-32B", 64, 40960, None),
        ("Qwen/Qwen3-8B", 36, 40960, None),
        ("Qwen/Qwen3-8B-Base", 36, 32768, None),
        ("Qwen/Qwen3-8B-FP8", 36, 40960, "fp8-blocks"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", 48, 262144, None),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", 48, 262144, None),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8", 62, 262144, "fp8-blocks"),
        ("unsloth/Qwen3-4B-bnb-4bit", 36, 40960, "bitsandbytes"),
    ],
)
def test_a_checkpoints_name_tells_shape_context_and_quantisation(
    model: str, layers: int, positions: int, scheme_name: str | None
) -> None:
    shape = named(model)
    assert (shape.layers, shape.positions) == (layers, positions)
    assert (shape.scheme.name if shape.scheme else None) == scheme_name


def test_an_unknown_model_is_answered_with_the_nearest_and_a_way_out() -> None:
    with pytest.raises(InvalidSpec, match=r"did you mean Qwen3-8B\?.*--config"):
        named("Qwen/Qwn3-8B")


def test_a_config_says_the_same_as_the_table() -> None:
    made = of_config(CONFIG, "mine")
    assert parameters(made) == parameters(named("Qwen3-8B"))
    assert (made.kv_heads, made.head_dim, made.positions) == (8, 128, 40960)


def test_a_config_of_experts_says_the_same_as_the_table() -> None:
    moe = {
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
        "num_hidden_layers": 48,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_key_value_heads": 4,
    }
    made = of_config({**CONFIG, **moe, "model_type": "qwen3_moe"}, "mine")
    assert parameters(made) == parameters(named("Qwen3-30B-A3B"))
    half = of_config({**CONFIG, **moe, "decoder_sparse_step": 2}, "mine")
    assert half.dense_layers == 24
    assert parameters(half).total < parameters(made).total


@pytest.mark.parametrize(
    ("quantised", "name", "bits"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "awq", 4.156),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "gptq", 4.625),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "gptq-int8", 8.1875),
        ({"quant_method": "fp8"}, "fp8", 8.002),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "int"}}},
            },
            "int8",
            8.004,
        ),
    ],
)
def test_a_config_tells_its_quantisation(quantised: dict[str, Any], name: str, bits: float) -> None:
    found = of_config({**CONFIG, "quantization_config": quantised}, "mine").scheme
    assert found is not None
    assert found.name == name
    assert found.bits == pytest.approx(bits, abs=0.001)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"vocab_size": "many"}, "vocab_size is 'many'; a whole number"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"kv_lora_rank": 512}, "multi-head latent attention"),
        ({"text_config": {}}, "vision or audio"),
        ({"layer_types": ["full_attention", "linear_attention"]}, "without plain attention"),
        ({"use_sliding_window": True}, "sliding windows"),
        ({"model_type": "mistral", "sliding_window": 4096}, "sliding windows"),
        ({"vision_config": {}}, r"vision or audio parts \(vision_config\)"),
        ({"linear_num_value_heads": 32}, r"without plain attention \(linear_num_value_heads\)"),
        ({"full_attention_interval": 4}, "without plain attention"),
        ({"is_encoder_decoder": True}, "encoders"),
        ({"num_attention_heads": 11, "head_dim": None}, "11, which does not divide hidden_size"),
        ({"quantization_config": {"quant_method": "quip"}}, "quantization 'quip' is not known"),
    ],
)
def test_a_config_of_another_kind_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        of_config({**CONFIG, **change}, "mine")


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "qwen2", "sliding_window": 131072, "use_sliding_window": False},
        {"model_type": "qwen2", "sliding_window": 131072},
        {"model_type": "mistral", "sliding_window": None},
        {"layer_types": ["full_attention", "full_attention"]},
    ],
)
def test_windows_that_are_off_are_none(change: dict[str, Any]) -> None:
    assert of_config({**CONFIG, **change}, "mine").layers == CONFIG["num_hidden_layers"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("L4", "L4"),
        ("l40s", "L40S"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB"),
        ("A100-SXM4-40GB", "A100-40GB"),
        ("H100 80GB", "H100-80GB"),
        ("GeForce RTX 4090", "RTX-4090"),
        ("4090", "RTX-4090"),
        ("Tesla T4", "T4"),
    ],
)
def test_a_gpu_is_found_in_any_spelling(given: str, name: str) -> None:
    assert gpu(given).name == name


def test_a_gpu_may_be_given_by_its_memory() -> None:
    assert gpu("24GiB").memory == 24 * GIB
    assert gpu("23.5 G").capability is None


def test_an_unknown_gpu_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidSpec, match=r"'H300' is not in the table; did you mean H\d+0"):
        gpu("H300")


def test_no_gpu_reports_more_than_its_name_says() -> None:
    for each in gpus():
        size = [int(part.removesuffix("GB")) for part in each.name.split("-") if "GB" in part]
        assert all(each.memory / GIB <= gigabytes for gigabytes in size), each.name


def test_other_names_of_a_quantisation_lead_to_one_that_exists() -> None:
    for other, name in read("quantization")["also"].items():
        assert scheme(other).name == name
