"""Model folders to measure with: Qwen's own sizes, random weights, a vocabulary of the real size.

vLLM's `load_format: dummy` makes the weights up, so a folder holds a config and a tokenizer only.
"""

from __future__ import annotations

import json
from itertools import islice, product
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from qwen_operator.fit.shapes import Shape, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Qwen's byte-level BPE has this many tokens; the rest of vocab_size is padding of the matrices.
_TOKENS = 151_643
_LETTERS = ascii_lowercase + ascii_uppercase + " "


SHAPES = {
    "qwen1.5-1.8b": named("Qwen1.5-1.8B-Chat"),
    "qwen2.5-7b": named("Qwen2.5-7B-Instruct"),
    "qwen3-30b-a3b": named("Qwen3-30B-A3B"),
    # Small enough for a CPU: two layers over the whole vocabulary.
    "two-layers": Shape(
        name="two-layers",
        layers=2,
        hidden=256,
        heads=4,
        kv_heads=2,
        head_dim=64,
        intermediate=512,
        vocab=151936,
        tied=True,
        positions=4096,
        bias=True,
    ),
}


def _gptq(bits: int) -> dict[str, object]:
    return {
        "quant_method": "gptq",
        "bits": bits,
        "group_size": 128,
        "desc_act": False,
        "sym": True,
        # Else vLLM looks into the weights for what is quantised, and there are none.
        "modules_in_block_to_quantize": [
            ["self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj"],
            ["self_attn.o_proj"],
            ["mlp.up_proj", "mlp.gate_proj"],
            ["mlp.down_proj"],
        ],
    }


# What a checkpoint's config.json says of its weights, by the scheme's name in the fit's tables.
_QUANTISED: Mapping[str, Mapping[str, object]] = {
    "awq": {
        "quant_method": "awq",
        "bits": 4,
        "group_size": 128,
        "version": "gemm",
        "zero_point": True,
    },
    "gptq": _gptq(4),
    "gptq-int8": _gptq(8),
    "fp8-blocks": {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "weight_block_size": [128, 128],
    },
}


def config(shape: Shape) -> dict[str, object]:
    """The content of config.json.

    Raises:
        KeyError: no checkpoint of this quantisation is described here.
    """
    family = "qwen3" if shape.qk_norm else "qwen2"
    kind = f"{family}_moe" if shape.experts else family
    name = "".join(part.capitalize() for part in kind.split("_"))
    made: dict[str, object] = {
        "architectures": [f"{name}ForCausalLM"],
        "model_type": kind,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "tie_word_embeddings": shape.tied,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": shape.vocab,
        "bos_token_id": _TOKENS,
        "eos_token_id": _TOKENS + 2,
    }
    if shape.qk_norm:
        made |= {"attention_bias": False, "head_dim": shape.head_dim}
    if shape.experts:
        made |= {
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "moe_intermediate_size": shape.moe_intermediate,
            "norm_topk_prob": True,
            "num_experts": shape.experts,
            "num_experts_per_tok": shape.experts_per_token,
            "output_router_logits": False,
            "router_aux_loss_coef": 0.001,
        }
    if shape.scheme is not None:
        made["quantization_config"] = dict(_QUANTISED[shape.scheme.name])
    return made


def write_shape(shape: Shape, folder: Path) -> None:
    """Write the model folder; every user may read it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(shape), indent=1))
    (folder / "generation_config.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "eos_token": _SPECIAL[2],
                "pad_token": _SPECIAL[0],
                "model_max_length": shape.positions,
                "clean_up_tokenization_spaces": False,
            }
        )
    )
    tokenizer().save(str(folder / "tokenizer.json"))


def tokenizer() -> Tokenizer:
    """A byte-level BPE with Qwen's number of tokens, most of them three letters long."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(islice(_merges(), _TOKENS - len(alphabet)))
    words = [*alphabet, *(first + second for first, second in merges)]
    made = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in _SPECIAL])
    return made


def _merges() -> Iterator[tuple[str, str]]:
    """Pairs of letters, then pairs with a third: each is made of what came before."""
    letters = [letter.replace(" ", "Ġ") for letter in _LETTERS]  # the alphabet's name of a space
    yield from product(letters, letters)
    pairs = ["".join(pair) for pair in product(letters, letters)]
    yield from product(pairs, letters)
    triples = ["".join(three) for three in product(letters, letters, letters)]
    yield from product(triples, letters)
