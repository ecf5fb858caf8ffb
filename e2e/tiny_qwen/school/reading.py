"""Reads a Qwen2 folder with NumPy and answers greedily: slow, plain, and no framework needed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from e2e.tiny_qwen.architecture import Architecture
from e2e.tiny_qwen.school.template import rendered
from e2e.tiny_qwen.vocabulary import END_OF_TURN

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.tiny_qwen.school.dialogues import Dialogue

Array = npt.NDArray[np.float32]
# Keys and values of what was read, by layer; [kv heads, positions, head].
Cache = dict[str, tuple[Array, Array]]

_LONGEST_ANSWER = 200


@dataclass(frozen=True, slots=True)
class Reader:
    """A model and its tokenizer, read from a folder."""

    shape: Architecture
    weights: dict[str, Array]
    tokenizer: Tokenizer

    def answer(self, dialogue: Dialogue) -> str:
        """The greedy answer, without the token that ends it."""
        unread = list(self.tokenizer.encode(rendered(dialogue)).ids)
        end = self.tokenizer.token_to_id(END_OF_TURN)
        read: Cache = {}
        said: list[int] = []
        while len(said) < _LONGEST_ANSWER:
            following = int(np.argmax(_logits(self.shape, self.weights, unread, read)))
            if following == end:
                break
            said.append(following)
            unread = [following]
        return str(self.tokenizer.decode(said, skip_special_tokens=False))


def read(folder: Path) -> Reader:
    """Read config.json, model.safetensors and tokenizer.json."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = Architecture(
        vocab_size=config["vocab_size"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        positions=config["max_position_embeddings"],
        rope_theta=config["rope_theta"],
    )
    stored = load_file(folder / "model.safetensors")
    weights = {name: value.astype(np.float32) for name, value in stored.items()}
    return Reader(shape, weights, Tokenizer.from_file(str(folder / "tokenizer.json")))


def _logits(shape: Architecture, weights: dict[str, Array], ids: list[int], read: Cache) -> Array:
    """Read these tokens after those that were read; the logits of the next, [vocabulary]."""
    states = weights["model.embed_tokens.weight"][ids]
    for layer in range(shape.layers):
        at = f"model.layers.{layer}"
        normed = _normed(states, weights[f"{at}.input_layernorm.weight"])
        states = states + _attention(shape, weights, f"{at}.self_attn", normed, read)
        normed = _normed(states, weights[f"{at}.post_attention_layernorm.weight"])
        gate = normed @ weights[f"{at}.mlp.gate_proj.weight"].T
        up = normed @ weights[f"{at}.mlp.up_proj.weight"].T
        gated = gate / (1 + np.exp(-gate)) * up
        states = states + gated @ weights[f"{at}.mlp.down_proj.weight"].T
    last = _normed(states[-1], weights["model.norm.weight"])
    logits: Array = weights["model.embed_tokens.weight"] @ last
    return logits


def _attention(
    shape: Architecture, weights: dict[str, Array], at: str, states: Array, read: Cache
) -> Array:
    def heads(kind: str) -> Array:
        """[heads, positions, head]."""
        made = states @ weights[f"{at}.{kind}_proj.weight"].T + weights[f"{at}.{kind}_proj.bias"]
        split: Array = made.reshape(len(states), -1, shape.head_dim).transpose(1, 0, 2)
        return split

    before = read[at][0].shape[1] if at in read else 0
    queries = _rotated(heads("q"), shape.rope_theta, before)
    keys, values = _rotated(heads("k"), shape.rope_theta, before), heads("v")
    if before:
        keys = np.concatenate([read[at][0], keys], axis=1)
        values = np.concatenate([read[at][1], values], axis=1)
    read[at] = keys, values
    groups = shape.heads // shape.kv_heads
    keys, values = np.repeat(keys, groups, axis=0), np.repeat(values, groups, axis=0)
    scores = queries @ keys.transpose(0, 2, 1) * shape.head_dim**-0.5
    visible = np.tri(len(states), before + len(states), before, dtype=bool)
    scores = np.where(visible, scores, -np.inf)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = scores / scores.sum(axis=-1, keepdims=True) @ values
    joined = mixed.transpose(1, 0, 2).reshape(len(states), -1)
    out: Array = joined @ weights[f"{at}.o_proj.weight"].T
    return out


def _rotated(heads: Array, theta: float, before: int) -> Array:
    """Rotary positions from `before` on, the two halves of a head turned against each other."""
    _, positions, width = heads.shape
    half = width // 2
    speeds = theta ** -(np.arange(half) / half)
    angles = np.arange(before, before + positions)[:, None] * speeds
    cosines, sines = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    first, second = heads[..., :half], heads[..., half:]
    return np.concatenate(
        [first * cosines - second * sines, second * cosines + first * sines], axis=-1
    )


def _normed(states: Array, weight: Array) -> Array:
    normed: Array = states / np.sqrt((states**2).mean(axis=-1, keepdims=True) + 1e-6) * weight
    return normed
