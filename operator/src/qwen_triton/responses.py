"""A chunk as the arrays of the wire contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qwen_triton.chunks import Chunk, Logprob, Part
    from qwen_triton.requests import Wants

Array = npt.NDArray[np.generic]

RESPONSE = "response"
TEXT_OUTPUT = "text_output"


def arrays(
    chunk: Chunk, wants: Wants, *, prefix: str, prompt_tokens: int, requested: Collection[str]
) -> dict[str, Array]:
    """The outputs of one response.

    Args:
        chunk: what is new.
        wants: which optional outputs the client asked for.
        prefix: text before the answer: the client's own, where it wants it back.
        prompt_tokens: length of the prompt.
        requested: names of the outputs that Triton asks for; empty means all.
    """
    parts = chunk.parts
    made: dict[str, Array] = {}
    made[RESPONSE] = made[TEXT_OUTPUT] = _strings([prefix + part.text for part in parts])
    if wants.finish_reason:
        # NVIDIA's backend writes "None" while the answer goes on; its clients compare with that.
        made["finish_reason"] = _strings([str(part.finish_reason) for part in parts])
    if wants.cumulative_logprob:
        made["cumulative_logprob"] = _cumulative(parts)
    if wants.logprobs:
        made["logprobs"] = _strings([_logprobs_json(part.logprobs) for part in parts])
    if wants.num_input_tokens:
        made["num_input_tokens"] = np.array([prompt_tokens], dtype=np.uint32)
    if wants.num_output_tokens:
        made["num_output_tokens"] = np.array([part.tokens for part in parts], dtype=np.uint32)
    return {name: array for name, array in made.items() if not requested or name in requested}


def _cumulative(parts: Sequence[Part]) -> Array:
    values = [part.cumulative_logprob for part in parts]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)


def _strings(texts: Sequence[str]) -> Array:
    array = np.empty(len(texts), dtype=np.object_)
    # A lone surrogate cannot come out of a detokenizer, but out of a client's echoed JSON it can.
    array[:] = [text.encode("utf-8", "replace") for text in texts]
    return array


def _logprobs_json(logprobs: Sequence[Mapping[int, Logprob]] | None) -> str:
    if logprobs is None:
        return "null"
    return json.dumps(
        [
            {
                token: {
                    "logprob": candidate.logprob,
                    "rank": candidate.rank,
                    "decoded_token": candidate.decoded_token,
                }
                for token, candidate in position.items()
            }
            for position in logprobs
        ]
    )
