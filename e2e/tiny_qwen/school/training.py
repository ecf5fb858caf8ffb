"""Trains the tiny Qwen with AdamW: from a seed, in minutes, on two cores."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from e2e.tiny_qwen.school.lessons import endless
from e2e.tiny_qwen.school.network import first_weights, loss
from e2e.tiny_qwen.school.packing import batches

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from e2e.tiny_qwen.architecture import Architecture
    from e2e.tiny_qwen.school.network import Weights
    from e2e.tiny_qwen.school.packing import Batch
    from e2e.tiny_qwen.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast to learn.

    Attributes:
        seed: of the first weights and of the dialogues.
        steps: how many batches are learned from.
        rows: rows of a batch.
        length: tokens of a row.
        rate: the highest learning rate; it rises for `warming` steps and falls to zero.
        warming: steps until the highest rate.
    """

    seed: int = 0
    steps: int = 1500
    rows: int = 4
    length: int = 320
    rate: float = 3e-3
    warming: int = 100

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        if step < self.warming:
            return self.rate * (step + 1) / self.warming
        done = (step - self.warming) / (self.steps - self.warming)
        return self.rate * 0.5 * (1 + math.cos(math.pi * done))


def trained(
    shape: Architecture, words: Vocabulary, course: Course, say: Callable[[str], None]
) -> dict[str, npt.NDArray[np.float16]]:
    """The weights after the course, by their Hugging Face names, rounded to half precision."""
    weights = first_weights(shape, course.seed)
    first = {name: jnp.zeros_like(value) for name, value in weights.items()}
    second = dict(first)
    rows = batches(words, endless(Random(course.seed)), course.rows, course.length)
    step_of = jax.jit(partial(_step, shape))
    started = time.monotonic()
    lost = 0.0
    for step in range(course.steps):
        state, rate = (weights, first, second), course.rate_at(step)
        weights, first, second, found = step_of(state, next(rows), rate, step + 1)
        lost = 0.95 * lost + 0.05 * float(found) if step else float(found)
        if (step + 1) % _REPORT == 0:
            say(f"step {step + 1}: loss {lost:.4f}, {time.monotonic() - started:.0f} s")
    return {name: np.asarray(value, dtype=np.float16) for name, value in weights.items()}


_REPORT = 100
_FIRST_MEMORY, _SECOND_MEMORY = 0.9, 0.95
_TOO_STEEP = 1.0
# How much of a matrix a learning rate of 1 would take away in a step.
_DECAY = 0.05


def _step(
    shape: Architecture,
    state: tuple[Weights, Weights, Weights],
    batch: Batch,
    rate: float,
    number: int,
) -> tuple[Weights, Weights, Weights, jax.Array]:
    """One step of AdamW."""
    weights, first, second = state
    found, slopes = jax.value_and_grad(lambda now: loss(shape, now, batch))(weights)
    norm = jnp.sqrt(sum((slope**2).sum() for slope in slopes.values()))
    scale = jnp.minimum(1.0, _TOO_STEEP / norm)
    made: tuple[Weights, Weights, Weights] = {}, {}, {}
    for name, weight in weights.items():
        slope = slopes[name] * scale
        mean = _FIRST_MEMORY * first[name] + (1 - _FIRST_MEMORY) * slope
        square = _SECOND_MEMORY * second[name] + (1 - _SECOND_MEMORY) * slope**2
        towards = mean / (1 - _FIRST_MEMORY**number)
        towards = towards / (jnp.sqrt(square / (1 - _SECOND_MEMORY**number)) + 1e-8)
        if weight.ndim > 1:
            towards = towards + _DECAY * weight
        for kept, value in zip(made, (weight - rate * towards, mean, square), strict=True):
            kept[name] = value
    return (*made, found)
