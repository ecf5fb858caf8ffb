"""From tensors to one typed question; every mistake of a client is named with its field."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from qwen_triton.refusals import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

Message = dict[str, object]

PROMPT = "prompt"
TEXT_INPUT = "text_input"
HISTORY = "history"
SAMPLING = "sampling_parameters"

ROLES = ("system", "user", "assistant", "tool")

_PAIR = 2


class Tensors(Protocol):
    """The inputs of one Triton request."""

    def first(self, name: str) -> object | None:
        """The first element of the tensor `name`, or None when the request has no such tensor."""

    def parameters(self) -> str:
        """The request's own parameters as a JSON object."""


@dataclass(frozen=True, slots=True)
class Wants:
    """Which of NVIDIA's optional outputs the client asked for."""

    finish_reason: bool = False
    cumulative_logprob: bool = False
    logprobs: bool = False
    num_input_tokens: bool = False
    num_output_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One request, understood.

    Attributes:
        text: what the client wrote into `field`; empty when the history ends with the question.
        field: the input that carried the text, for messages about it.
        history: earlier messages; None means that `text` is to be completed as it stands.
        stream: whether deltas are wanted.
        sampling: vLLM sampling parameters as the client gave them.
        echo: whether the answer starts with the text itself, as NVIDIA's backend does.
        wants: optional outputs.
    """

    text: str
    field: str
    history: tuple[Message, ...] | None
    stream: bool
    sampling: Mapping[str, object]
    echo: bool
    wants: Wants


def read_question(tensors: Tensors) -> Question:
    """Read one request.

    Raises:
        BadRequest: naming the field that is wrong.
    """
    prompt, text_input = _text(tensors, PROMPT), _text(tensors, TEXT_INPUT)
    if prompt is not None and text_input is not None:
        raise BadRequest(PROMPT, f"given together with {TEXT_INPUT}; send one of the two")
    field = TEXT_INPUT if text_input is not None else PROMPT
    text = text_input if text_input is not None else prompt
    history = _history(_text(tensors, HISTORY))
    if not text and not (text is None and history and history[-1]["role"] == "user"):
        raise BadRequest(field, "empty; write what the model should answer")
    raw = field == TEXT_INPUT and history is None
    stream = _flag(tensors, "stream", default=False)
    echo = not _flag(tensors, "exclude_input_in_output", default=stream or not raw)
    if echo and stream:
        raise BadRequest("exclude_input_in_output", "false is not possible together with stream")
    return Question(
        text=text or "",
        field=field if text else HISTORY,
        history=None if raw else history or (),
        stream=stream,
        sampling=_sampling(tensors),
        echo=echo,
        wants=Wants(
            **{
                name: _flag(tensors, f"return_{name}", default=False)
                for name in Wants.__dataclass_fields__
            }
        ),
    )


def _text(tensors: Tensors, name: str) -> str | None:
    value = tensors.first(name)
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise BadRequest(name, f"must be text, not {type(value).__name__}")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(name, f"not UTF-8: {error.reason} at byte {error.start}") from error


def _flag(tensors: Tensors, name: str, *, default: bool) -> bool:
    value = tensors.first(name)
    return default if value is None else bool(value)


def _json(field: str, text: str) -> object:
    def refuse(constant: str) -> object:
        raise BadRequest(field, f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise BadRequest(field, "nested too deeply") from error
    except ValueError as error:
        raise BadRequest(field, f"not JSON: {error}") from error


def _sampling(tensors: Tensors) -> Mapping[str, object]:
    """The tensor if there is one, otherwise the request's own parameters, as NVIDIA's backend."""
    text = _text(tensors, SAMPLING)
    given = _json(SAMPLING, text if text is not None else tensors.parameters() or "{}")
    if not isinstance(given, dict):
        raise BadRequest(SAMPLING, f"must be a JSON object, not {_kind(given)}")
    return given


def _history(text: str | None) -> tuple[Message, ...] | None:
    if text is None:
        return None
    entries = _json(HISTORY, text)
    if not isinstance(entries, list):
        raise BadRequest(HISTORY, f"must be a JSON list of messages, not {_kind(entries)}")
    messages: list[Message] = []
    for at, entry in enumerate(entries):
        messages += _pair(at, entry) if isinstance(entry, list) else [_message(at, entry)]
    return tuple(messages)


def _message(at: int, entry: object) -> Message:
    where = f"entry {at}"
    if not isinstance(entry, dict):
        raise BadRequest(HISTORY, f'{where} must be {{"role", "content"}}, not {_kind(entry)}')
    role, content = entry.get("role"), entry.get("content")
    if role not in ROLES:
        raise BadRequest(HISTORY, f"{where} has role {role!r}; known are {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise BadRequest(HISTORY, f"{where} needs 'content' as text, not {_kind(content)}")
    return dict(entry)


def _pair(at: int, entry: list[object]) -> list[Message]:
    texts = [part for part in entry if isinstance(part, str)]
    if len(entry) != _PAIR or len(texts) != _PAIR:
        raise BadRequest(HISTORY, f"entry {at} must be a pair of texts [user, assistant]")
    user, assistant = texts
    return [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a bool", type(None): "null"}
    return names.get(type(value), "a number")
