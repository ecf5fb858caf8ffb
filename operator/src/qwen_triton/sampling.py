"""Sampling parameters from a client's JSON: checked field by field before vLLM sees them."""

from __future__ import annotations

import difflib
import math
from enum import Enum
from typing import TYPE_CHECKING

from qwen_triton import options, structured
from qwen_triton.parsing import shown
from qwen_triton.refusals import BadRequest
from qwen_triton.requests import SAMPLING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


class Kind(Enum):
    """Types of a sampling parameter, in words for a client."""

    INTEGER = "an integer"
    NUMBER = "a number"
    FLAG = "true or false"
    INTEGERS = "a list of integers"
    TEXTS = "text or a list of texts"
    BIAS = "an object of token id to number"


# What a client may set. vLLM has more fields, but those are its own affair: output_kind and
# detokenize belong to this backend, skip_clone and trace_decode_token_ids to vLLM's insides.
KINDS: Mapping[str, Kind] = {
    "n": Kind.INTEGER,
    "presence_penalty": Kind.NUMBER,
    "frequency_penalty": Kind.NUMBER,
    "repetition_penalty": Kind.NUMBER,
    "temperature": Kind.NUMBER,
    "top_p": Kind.NUMBER,
    "top_k": Kind.INTEGER,
    "min_p": Kind.NUMBER,
    "seed": Kind.INTEGER,
    "stop": Kind.TEXTS,
    "stop_token_ids": Kind.INTEGERS,
    "ignore_eos": Kind.FLAG,
    "max_tokens": Kind.INTEGER,
    "min_tokens": Kind.INTEGER,
    "logprobs": Kind.INTEGER,
    "prompt_logprobs": Kind.INTEGER,
    "skip_special_tokens": Kind.FLAG,
    "spaces_between_special_tokens": Kind.FLAG,
    "include_stop_str_in_output": Kind.FLAG,
    "logit_bias": Kind.BIAS,
    "allowed_token_ids": Kind.INTEGERS,
    "bad_words": Kind.TEXTS,
    "thinking_token_budget": Kind.INTEGER,
}

# guided_decoding became structured_outputs in vLLM 0.11.
_FORM_FIELDS = ("structured_outputs", "guided_decoding")

# What vLLM had once: the value that asks for nothing, and what to do instead.
_GONE: Mapping[str, tuple[object, str]] = {
    "best_of": (1, "ask for n answers with return_cumulative_logprob and keep the likeliest"),
    "use_beam_search": (False, "set temperature 0 for the likeliest next token each time"),
    "length_penalty": (1.0, "it belonged to beam search"),
    "early_stopping": (False, "it belonged to beam search"),
}
# Each answer of a request takes a place in the engine's batch: beyond this it is an attack.
MOST_ANSWERS = 128
# What engine and front end can tell each other of an integer.
_BITS = 63
# Fields that name tokens: an unknown one can end the engine.
_TOKEN_FIELDS = ("stop_token_ids", "allowed_token_ids", "logit_bias")


def sampling_arguments(
    given: Mapping[str, object],
    known: Collection[str],
    defaults: Mapping[str, object],
    vocabulary: int | None = None,
) -> dict[str, object]:
    """Arguments of vLLM's SamplingParams.

    Args:
        given: what the client sent.
        known: the fields that this vLLM's SamplingParams has.
        defaults: the model's own sampling parameters; the client's win.
        vocabulary: number of tokens that the model knows; None where nothing is known of it.

    Raises:
        BadRequest: naming the field that is unknown or of the wrong type.
    """
    arguments = dict(defaults)
    for name, value in given.items():
        if name in structured.NAMES or name == structured.BACKEND:
            continue
        if name in _GONE:
            _check_gone(name, value)
            continue
        kind = KINDS.get(name)
        if kind is None or name not in known:
            raise BadRequest(SAMPLING, _unknown(name, known))
        if value is not None:
            arguments[name] = _converted(name, kind, value)
    if vocabulary is not None:
        _check_tokens(arguments, vocabulary)
    if form := structured.constraint(given, SAMPLING):
        arguments[next(field for field in _FORM_FIELDS if field in known)] = form
    return arguments


def _converted(name: str, kind: Kind, value: object) -> object:
    converted = _CONVERTERS[kind](value)
    if converted is None:
        raise BadRequest(SAMPLING, f"{name!r} must be {kind.value}, not {shown(value)}")
    if name == "n" and isinstance(converted, int) and not 0 < converted <= MOST_ANSWERS:
        raise BadRequest(SAMPLING, f"'n' must be from 1 to {MOST_ANSWERS}, not {shown(value)}")
    return converted


def _check_gone(name: str, value: object) -> None:
    nothing, instead = _GONE[name]
    said = value if isinstance(value, str) else shown(value)
    if value is not None and value != nothing and said.lower() != str(nothing).lower():
        raise BadRequest(SAMPLING, f"{name!r} is no longer in vLLM; {instead}")


def _check_tokens(arguments: Mapping[str, object], vocabulary: int) -> None:
    for name in _TOKEN_FIELDS:
        given = arguments.get(name)
        tokens = given if isinstance(given, (list, dict)) else ()
        for token in tokens:
            if not 0 <= token < vocabulary:
                raise BadRequest(
                    SAMPLING,
                    f"{name!r} names token {token}; the model knows those from 0 to"
                    f" {vocabulary - 1}",
                )


def _unknown(name: str, known: Collection[str]) -> str:
    names = [candidate for candidate in KINDS if candidate in known]
    names += [*structured.NAMES, *options.NAMES]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(names))}"
    return f"{shown(name)} is unknown; {hint}"


def _integer(value: object) -> int | None:
    """NVIDIA's own client sends every value as text."""
    number = _number(value)
    if number is None or not number.is_integer():
        return None
    try:
        exact = int(value) if isinstance(value, (int, str)) else int(number)
    except ValueError:
        # Such as 1e3, or 5.0.
        exact = int(number)
    return exact if abs(exact) < 2**_BITS else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _integers(value: object) -> list[int] | None:
    if not isinstance(value, list):
        return None
    numbers = [_integer(item) for item in value]
    return None if None in numbers else [number for number in numbers if number is not None]


def _texts(value: object) -> list[str] | None:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return None
    texts = [item for item in value if isinstance(item, str)]
    return texts if len(texts) == len(value) else None


def _bias(value: object) -> dict[int, float] | None:
    if not isinstance(value, dict):
        return None
    bias = {_integer(token): _number(weight) for token, weight in value.items()}
    if None in bias or None in bias.values():
        return None
    return {
        token: min(100.0, max(-100.0, weight))
        for token, weight in bias.items()
        if token is not None and weight is not None
    }


_CONVERTERS: Mapping[Kind, Callable[[object], object | None]] = {
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.INTEGERS: _integers,
    Kind.TEXTS: _texts,
    Kind.BIAS: _bias,
}
