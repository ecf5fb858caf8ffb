"""Random weights from a seed, arranged so that the nonsense is readable and comes to an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2e.tiny_qwen.architecture import Architecture

Weights = npt.NDArray[np.float32]

# Standard deviation of an embedding: with a hidden state of norm 16 the logits spread by about 2.
_SPREAD = 0.125
# How much a layer adds to what comes from below: enough for the context to matter.
_LAYER_GAIN = 0.3
# Qwen2's output layer has no bias, and it is the embedding again. So the first layer writes a
# constant into one coordinate (by the bias of its values, whatever is read), and what a token's
# embedding holds there is a bias on its logit.
_BIAS_COORDINATE = 0
_CONSTANT = 6.0
_VALUE_BIAS = 0.5
_BIAS_END_OF_TURN = 0.18
_BIAS_UNREADABLE = -1.5


def random_weights(
    shape: Architecture, seed: int, *, end_of_turn: int, suppressed: Sequence[int]
) -> dict[str, Weights]:
    """Weights of a model that says words of its vocabulary and ends its turn now and then.

    Args:
        shape: sizes of the model.
        seed: the same seed gives the same bytes.
        end_of_turn: id of the token that ends an answer.
        suppressed: ids that should never be said (halves of characters, special tokens).
    """
    random = np.random.default_rng(seed)
    weights: dict[str, Weights] = {}
    for name, size in shape.shapes().items():
        if name.endswith("layernorm.weight"):
            weights[name] = np.ones(size, dtype=np.float32)
        elif name.endswith(".bias"):
            weights[name] = np.zeros(size, dtype=np.float32)
        elif name == "model.norm.weight":
            weights[name] = _signs(random, shape.hidden)
        else:
            spread = _SPREAD if name.startswith("model.embed") else size[-1] ** -0.5
            weights[name] = (random.standard_normal(size) * spread).astype(np.float32)
    _bias_logits(weights, end_of_turn, suppressed)
    return weights


def _bias_logits(weights: dict[str, Weights], end_of_turn: int, suppressed: Sequence[int]) -> None:
    embedding = weights["model.embed_tokens.weight"]
    embedding[:, _BIAS_COORDINATE] = 0.0
    embedding[end_of_turn, _BIAS_COORDINATE] = _BIAS_END_OF_TURN
    embedding[list(suppressed), _BIAS_COORDINATE] = _BIAS_UNREADABLE
    for name, weight in weights.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weight[:] = weight * _LAYER_GAIN
            weight[_BIAS_COORDINATE, :] = 0.0
    weights["model.layers.0.self_attn.v_proj.bias"][:] = _VALUE_BIAS
    out = weights["model.layers.0.self_attn.o_proj.weight"]
    out[_BIAS_COORDINATE, :] = _CONSTANT / (_VALUE_BIAS * out.shape[1])


def _signs(random: np.random.Generator, size: int) -> Weights:
    """Half of the coordinates turned around before the output layer.

    That layer is the embedding again, so a token would mostly predict itself: with signs the
    match of an embedding with itself is a sum that cancels.
    """
    signs = random.choice(np.array([-1.0, 1.0], dtype=np.float32), size)
    signs[_BIAS_COORDINATE] = 1.0
    return signs
