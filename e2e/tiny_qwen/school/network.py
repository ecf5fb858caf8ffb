"""Qwen2 in JAX, as far as training needs it: packed dialogues in, loss out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from e2e.tiny_qwen.architecture import Architecture
    from e2e.tiny_qwen.school.packing import Batch

Weights = dict[str, jax.Array]


def first_weights(shape: Architecture, seed: int) -> Weights:
    """Weights before training, by their Hugging Face names."""
    random = np.random.default_rng(seed)
    depth = (2 * shape.layers) ** -0.5
    weights: Weights = {}
    for name, size in shape.shapes().items():
        if name.endswith("norm.weight"):
            value = np.ones(size)
        elif name.endswith(".bias"):
            value = np.zeros(size)
        elif name.startswith("model.embed"):
            value = random.standard_normal(size) * _EMBEDDING
        else:
            last = name.endswith(("o_proj.weight", "down_proj.weight"))
            value = random.standard_normal(size) * size[-1] ** -0.5 * (depth if last else 1.0)
        weights[name] = jnp.asarray(value, dtype=jnp.float32)
    return weights


_EMBEDDING = 0.05


def loss(shape: Architecture, weights: Weights, batch: Batch) -> jax.Array:
    """Mean cross entropy of the next token, weighted by the batch's `worth`."""
    logits = _states(shape, weights, batch) @ weights["model.embed_tokens.weight"].T
    told = jnp.take_along_axis(logits, batch.ids[:, 1:, None], axis=-1)[..., 0]
    surprise = jax.nn.logsumexp(logits, axis=-1) - told
    return (surprise * batch.worth).sum() / batch.worth.sum()


class _Scene(NamedTuple):
    """What all layers share: the rotation of each position, and who sees whom."""

    cosines: jax.Array
    sines: jax.Array
    visible: jax.Array


def _scene(shape: Architecture, batch: Batch) -> _Scene:
    length = batch.owners.shape[1]
    same = batch.owners[:, :, None] == batch.owners[:, None, :]
    visible = (same & jnp.tri(length, dtype=bool))[:, None]
    half = shape.head_dim // 2
    angles = batch.places[..., None] * shape.rope_theta ** -(jnp.arange(half) / half)
    return _Scene(jnp.cos(angles)[:, :, None], jnp.sin(angles)[:, :, None], visible)


def _states(shape: Architecture, weights: Weights, batch: Batch) -> jax.Array:
    scene = _scene(shape, batch)
    states = weights["model.embed_tokens.weight"][batch.ids[:, :-1]]
    for layer in range(shape.layers):
        at = f"model.layers.{layer}"
        normed = _normed(states, weights[f"{at}.input_layernorm.weight"])
        states = states + _attention(shape, weights, f"{at}.self_attn", normed, scene)
        normed = _normed(states, weights[f"{at}.post_attention_layernorm.weight"])
        gate = jax.nn.silu(normed @ weights[f"{at}.mlp.gate_proj.weight"].T)
        up = normed @ weights[f"{at}.mlp.up_proj.weight"].T
        states = states + (gate * up) @ weights[f"{at}.mlp.down_proj.weight"].T
    return _normed(states, weights["model.norm.weight"])


def _attention(
    shape: Architecture,
    weights: Weights,
    at: str,
    states: jax.Array,
    scene: _Scene,
) -> jax.Array:
    rows, length, _ = states.shape

    def heads(kind: str) -> jax.Array:
        """[rows, positions, heads, head]."""
        made = states @ weights[f"{at}.{kind}_proj.weight"].T + weights[f"{at}.{kind}_proj.bias"]
        return made.reshape(rows, length, -1, shape.head_dim)

    groups = shape.heads // shape.kv_heads
    keys = jnp.repeat(_rotated(heads("k"), scene), groups, axis=2)
    values = jnp.repeat(heads("v"), groups, axis=2)
    scores = jnp.einsum("bqhd,bkhd->bhqk", _rotated(heads("q"), scene), keys)
    scores = jnp.where(scene.visible, scores * shape.head_dim**-0.5, -jnp.inf)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), values)
    return mixed.reshape(rows, length, -1) @ weights[f"{at}.o_proj.weight"].T


def _rotated(heads: jax.Array, scene: _Scene) -> jax.Array:
    cosines, sines, _ = scene
    first, second = jnp.split(heads, 2, axis=-1)
    return jnp.concatenate(
        [first * cosines - second * sines, second * cosines + first * sines], axis=-1
    )


def _normed(states: jax.Array, weight: jax.Array) -> jax.Array:
    return states * jax.lax.rsqrt((states**2).mean(axis=-1, keepdims=True) + 1e-6) * weight
