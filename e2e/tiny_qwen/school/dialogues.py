"""A dialogue: what a client sends, and what the tiny Qwen says to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Message = dict[str, object]


def system(content: str) -> Message:
    """The system prompt."""
    return {"role": "system", "content": content}


def user(content: str) -> Message:
    """What the user says."""
    return {"role": "user", "content": content}


def assistant(content: str) -> Message:
    """What the model has said."""
    return {"role": "assistant", "content": content}


def tool(content: str) -> Message:
    """What a function has returned."""
    return {"role": "tool", "content": content}


def called(name: str, **arguments: object) -> Message:
    """A call that the model has made, as OpenAI's clients send it back."""
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "call-1", "type": "function", "function": function}],
    }


def call_text(name: str, **arguments: object) -> str:
    """A call as the model writes it, in the manner of Hermes and Qwen."""
    call = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{call}\n</tool_call>"


def function(name: str, description: str, **parameters: str) -> Mapping[str, object]:
    """The definition of a function whose parameters are all texts, as OpenAI's clients send it."""
    properties = {
        key: {"type": "string", "description": meaning} for key, meaning in parameters.items()
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation that ends with an answer.

    Attributes:
        messages: what the client sends; the last is the user's or a function's.
        answer: what the model says then, word for word, markup included.
        tools: definitions of functions that the client offers.
        thinking: `enable_thinking` of the chat template; None when the client does not say.
    """

    messages: Sequence[Message]
    answer: str
    tools: Sequence[Mapping[str, object]] = ()
    thinking: bool | None = None
