"""Model folders to measure with: Qwen's own sizes, random weights, a vocabulary of the real size.

vLLM's `load_format: dummy` makes the weights up, so a folder holds a config and a tokenizer only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice, product
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Qwen's byte-level BPE has this many tokens; the rest of vocab_size is padding of the matrices.
_TOKENS = 151_643
_LETTERS = ascii_lowercase + ascii_uppercase + " "


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's sizes, as its published config.json has them."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    intermediate: int
    vocab: int
    head_dim: int = 128
    is_tied: bool = False
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0
    positions: int = 32768

    def config(self) -> dict[str, object]:
        """The content of config.json."""
        kind = ("Qwen3Moe", "qwen3_moe") if self.experts else ("Qwen2", "qwen2")
        made: dict[str, object] = {
            "architectures": [f"{kind[0]}ForCausalLM"],
            "model_type": kind[1],
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": self.positions,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0,
            "tie_word_embeddings": self.is_tied,
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "use_sliding_window": False,
            "vocab_size": self.vocab,
            "bos_token_id": _TOKENS,
            "eos_token_id": _TOKENS + 2,
        }
        if self.experts:
            made |= {
                "attention_bias": False,
                "decoder_sparse_step": 1,
                "head_dim": self.head_dim,
                "mlp_only_layers": [],
                "moe_intermediate_size": self.expert_intermediate,
                "norm_topk_prob": True,
                "num_experts": self.experts,
                "num_experts_per_tok": self.experts_per_token,
                "output_router_logits": False,
                "router_aux_loss_coef": 0.001,
            }
        return made


SHAPES = {
    "qwen1.5-1.8b": Shape(24, 2048, 16, 16, 5504, 151936),
    "qwen2.5-7b": Shape(28, 3584, 28, 4, 18944, 152064),
    "qwen3-30b-a3b": Shape(
        48,
        2048,
        32,
        4,
        6144,
        151936,
        experts=128,
        experts_per_token=8,
        expert_intermediate=768,
        positions=40960,
    ),
    # Small enough for a CPU: two layers over the whole vocabulary.
    "two-layers": Shape(2, 256, 4, 2, 512, 151936, head_dim=64, is_tied=True, positions=4096),
}


def write_shape(shape: Shape, folder: Path) -> None:
    """Write the model folder; every user may read it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(shape.config(), indent=1))
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
