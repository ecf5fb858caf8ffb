"""The shape of a model: what its config.json says that memory depends on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.knowledge import Scheme, nearest, read, scheme, scheme_of_name

_SUFFIXES = re.compile(
    r"(?i)-(Chat|Instruct|Base|Thinking|AWQ|GPTQ|Int4|Int8|FP8|NVFP4|FP4|2507|1M|dynamic"
    r"|quantized\.w8a8|w8a8|bnb|4bit|unsloth|Preview)$"
)
_CHAT = re.compile(r"(?i)-(Chat|Instruct|Thinking|AWQ|GPTQ|FP8)")


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder-only transformer with rotary attention and gated MLP, dense or with experts.

    Attributes:
        name: for a person.
        layers: hidden layers.
        hidden: width of the residual stream.
        heads: query heads.
        kv_heads: key/value heads, before tensor parallelism copies any.
        head_dim: width of a head.
        intermediate: width of a dense layer's MLP.
        vocab: rows of the embedding.
        tied: embedding and lm_head are one.
        positions: the longest context that the model was made for, in tokens.
        bias: query, key and value projections have biases (Qwen1.5 to Qwen2.5).
        qk_norm: queries and keys are normalised (Qwen3).
        experts: routed experts of a layer; 0 for a dense model.
        experts_per_token: of which each token uses so many.
        moe_intermediate: width of an expert's MLP.
        shared_intermediate: width of the MLP that every token uses beside the experts.
        dense_layers: layers without experts in a model that has them.
        dtype_bytes: of the weights as saved: 2, or 4 for float32.
        scheme: quantisation of the linear layers, or None.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    tied: bool
    positions: int
    bias: bool = False
    qk_norm: bool = False
    experts: int = 0
    experts_per_token: int = 0
    moe_intermediate: int = 0
    shared_intermediate: int = 0
    dense_layers: int = 0
    dtype_bytes: int = 2
    scheme: Scheme | None = None


def base_name(model: str) -> str:
    """The row of models.yaml that a checkpoint's name belongs to, if there is one."""
    plain = model.rsplit("/", 1)[-1]
    known = read("models")
    while plain not in known["models"] and plain not in known["also"]:
        shorter = _SUFFIXES.sub("", plain)
        if shorter == plain:
            break
        plain = shorter
    if plain not in known["models"]:
        plain = known["also"].get(plain, plain)
    return plain if plain in known["models"] else re.sub(r"-(Coder|Math)-", "-", plain)


def _positions(model: str, row: Mapping[str, Any]) -> int:
    for each in read("models")["positions"]:
        if re.search(each["pattern"], model):
            return int(each["positions"])
    family_three = model.startswith("Qwen3") and not re.search(r"(?i)-Base$", model)
    chat = family_three or _CHAT.search(model) is not None
    return int(row["positions"] if chat else row["base_positions"])


def named(model: str) -> Shape:
    """The shape of a known model, whatever of its checkpoints is named.

    Args:
        model: org/name or name, such as Qwen/Qwen2.5-7B-Instruct-AWQ.

    Raises:
        InvalidSpec: not in the table; names the nearest and the way out.
    """
    plain = model.rsplit("/", 1)[-1]
    base = base_name(plain)
    table = read("models")["models"]
    if base not in table:
        raise InvalidSpec(
            f"model {model!r} is not in the table{nearest(base, list(table))} Give its config.json"
            " with --config PATH"
        )
    row = table[base]
    third = base.startswith("Qwen3")
    numbers = ("layers", "hidden", "heads", "kv_heads", "head_dim", "intermediate", "vocab")
    optional = ("experts", "experts_per_token", "moe_intermediate", "shared_intermediate")
    return Shape(
        name=plain,
        **{name: int(row[name]) for name in numbers},
        **{name: int(row.get(name, 0)) for name in optional},
        tied=bool(row["tied"]),
        positions=_positions(plain, row),
        bias=not third,
        qk_norm=third,
        scheme=scheme_of_name(plain),
    )


def _number(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        given = "is missing" if value is None else f"is {value!r}"
        raise InvalidSpec(f"config.json: {key} {given}; a whole number above 0 is needed")
    return value


def _scheme_of(config: Mapping[str, Any]) -> Scheme | None:
    quantised = config.get("quantization_config")
    if not isinstance(quantised, Mapping):
        return None
    method, bits = str(quantised.get("quant_method", "")), quantised.get("bits", 4)
    if method == "compressed-tensors":
        groups: Mapping[str, Any] = quantised.get("config_groups") or {}
        first: Mapping[str, Any] = next(iter(groups.values()), {})
        weights: Mapping[str, Any] = first.get("weights") or {}
        bits = weights.get("num_bits", 8)
        floats = weights.get("type") == "float"
        method = {(4, False): "gptq", (4, True): "nvfp4", (8, True): "fp8"}.get(
            (bits, floats), "int8"
        )
    if method == "fp8" and quantised.get("weight_block_size"):
        method = "fp8-blocks"
    if method in {"gptq", "auto_gptq"} and bits == 8:  # noqa: PLR2004 - GPTQ comes in 4 and 8
        method = "gptq-int8"
    found = scheme(method)
    group = quantised.get("group_size")
    if isinstance(group, int) and group > 0 and group != found.group and found.name[:3] != "fp8":
        whole = round(found.bits)
        return replace(found, group=group, bits=whole + (found.bits - whole) * found.group / group)
    return found


_PARTS = ("text_config", "vision_config", "audio_config", "thinker_config")
_RECURRENT = re.compile(r"^(linear_|mamba_|ssm_|full_attention_interval$|attn_layer_)")
_KNOWN_WINDOWS = ("qwen2", "qwen3")
"""Kinds whose windows are off unless use_sliding_window is true; elsewhere a width makes one."""


def _has_windows(config: Mapping[str, Any]) -> bool:
    usual = not str(config.get("model_type", "")).startswith(_KNOWN_WINDOWS)
    return bool(config.get("use_sliding_window", usual and config.get("sliding_window")))


def _refuse_foreign(config: Mapping[str, Any]) -> None:
    kinds = {str(each) for each in config.get("layer_types") or ()}
    recurrent = sorted(key for key in config if _RECURRENT.match(key))
    parts = [each for each in _PARTS if each in config]
    reasons = {
        "multi-head latent attention (kv_lora_rank)": "kv_lora_rank" in config,
        f"vision or audio parts ({', '.join(parts)})": bool(parts),
        "encoders (is_encoder_decoder)": config.get("is_encoder_decoder") is True,
        f"layers without plain attention ({', '.join(recurrent)})": bool(recurrent),
        "layers without plain attention (layer_types)": bool(kinds - {"full_attention"}),
        "sliding windows (sliding_window)": _has_windows(config),
    }
    for what, found in reasons.items():
        if found:
            raise InvalidSpec(
                f"config.json: {what} are not computed here; only transformers with full attention"
                " in every layer are, as Qwen1.5, Qwen2, Qwen2.5 and Qwen3 have it"
            )


def _head_dim(config: Mapping[str, Any], hidden: int, heads: int) -> int:
    if config.get("head_dim"):
        return _number(config, "head_dim")
    if hidden % heads:
        raise InvalidSpec(
            f"config.json: num_attention_heads is {heads}, which does not divide hidden_size"
            f" {hidden}; head_dim is missing"
        )
    return hidden // heads


def of_config(config: Mapping[str, Any], name: str) -> Shape:
    """The shape that a model's config.json describes.

    Raises:
        InvalidSpec: a number is missing, or the architecture is of another kind.
    """
    _refuse_foreign(config)
    heads, hidden = _number(config, "num_attention_heads"), _number(config, "hidden_size")
    kind, layers = str(config.get("model_type", "")), _number(config, "num_hidden_layers")
    experts = int(config.get("num_experts") or config.get("num_local_experts") or 0)
    step, plain = int(config.get("decoder_sparse_step") or 1), config.get("mlp_only_layers") or ()
    sparse = [at for at in range(layers) if (at + 1) % step == 0 and at not in plain]
    saved = config.get("torch_dtype") or config.get("dtype")
    return Shape(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=_head_dim(config, hidden, heads),
        intermediate=_number(config, "intermediate_size"),
        vocab=_number(config, "vocab_size"),
        tied=bool(config.get("tie_word_embeddings", False)),
        positions=_number(config, "max_position_embeddings"),
        bias=kind.startswith("qwen2"),
        qk_norm=kind.startswith("qwen3"),
        experts=experts,
        experts_per_token=int(config.get("num_experts_per_tok") or 0) if experts else 0,
        moe_intermediate=_number(config, "moe_intermediate_size") if experts else 0,
        shared_intermediate=int(config.get("shared_expert_intermediate_size") or 0),
        dense_layers=layers - len(sparse) if experts else 0,
        dtype_bytes=4 if saved == "float32" else 2,
        scheme=_scheme_of(config),
    )
