"""A chunk as the arrays of the wire contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qwen_triton.requests import NOTHING, RESPONSE, TEXT_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qwen_triton.chunks import Chunk, Logprob, Part
    from qwen_triton.requests import Question

Array = npt.NDArray[np.generic]


def arrays(
    chunk: Chunk,
    question: Question,
    *,
    prefix: str,
    prompt_tokens: int,
    requested: Collection[str],
) -> dict[str, Array]:
    """The outputs of one response.

    Args:
        chunk: what is new.
        question: what the client asked, and for which optional outputs.
        prefix: text before the answer: the client's own, where it wants it back.
        prompt_tokens: length of the prompt.
        requested: names of the outputs that Triton asks for; empty means all.
    """
    parts, wants = chunk.parts, question.wants
    text = _strings([prefix + part.text for part in parts])
    names = requested or question.text_outputs
    made = {name: text for name in (RESPONSE, TEXT_OUTPUT) if name in names}
    if wants is NOTHING or wants == NOTHING:
        return made
    if wants.finish_reason:
        # NVIDIA's backend writes "None" while the answer goes on; its clients compare with that.
        made["finish_reason"] = _strings([str(part.finish_reason) for part in parts])
    if wants.cumulative_logprob:
        made["cumulative_logprob"] = _cumulative(parts)
    if wants.logprobs:
        made["logprobs"] = _strings([_logprobs_json(part.logprobs) for part in parts])
    if wants.reasoning:
        made["reasoning"] = _strings([part.reasoning for part in parts])
    if wants.tool_calls:
        calls = [json.dumps(part.tool_calls, ensure_ascii=False) for part in parts]
        made["tool_calls"] = _strings(calls)
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
    for at, text in enumerate(texts):
        # A lone surrogate cannot come out of a detokenizer; out of a client's echoed JSON it can.
        array[at] = text.encode("utf-8", "replace")
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
