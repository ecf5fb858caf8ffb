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
# One coordinate is the same for every token, so the hidden state always carries it, and a token's
# own value there is a bias on its logit: the only way to one, as Qwen2's output layer has none.
_BIAS_COORDINATE = 0
_BIAS_CARRIED = 1.0
_BIAS_END_OF_TURN = 0.55
_BIAS_UNREADABLE = -1.0


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
        if name.endswith("norm.weight"):
            weights[name] = np.ones(size, dtype=np.float32)
        elif name.endswith(".bias"):
            weights[name] = np.zeros(size, dtype=np.float32)
        else:
            spread = _SPREAD if name.startswith("model.embed") else size[-1] ** -0.5
            weights[name] = (random.standard_normal(size) * spread).astype(np.float32)
    embedding = weights["model.embed_tokens.weight"]
    embedding[:, _BIAS_COORDINATE] = _BIAS_CARRIED
    embedding[end_of_turn, _BIAS_COORDINATE] += _BIAS_END_OF_TURN
    embedding[list(suppressed), _BIAS_COORDINATE] += _BIAS_UNREADABLE
    for name, weight in weights.items():
        # Nothing writes to the carried coordinate on the way up.
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weight[_BIAS_COORDINATE, :] = 0.0
    return weights
