"""What a request may say beside its sampling: who goes first, which adapter, tools, thinking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwen_triton.parsing import kind_of, parse_json, shown
from qwen_triton.refusals import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

PRIORITY = "priority"
LORA_NAME = "lora_name"
TOOLS = "tools"
TEMPLATE_ARGUMENTS = "chat_template_kwargs"

NAMES = (PRIORITY, LORA_NAME, TOOLS, TEMPLATE_ARGUMENTS)

# What vLLM's own renderer passes to a template: a client's argument of that name would be a second.
_RESERVED = (
    "add_generation_prompt",
    "chat_template",
    "conversation",
    "documents",
    "messages",
    "tokenize",
    "tools",
)
_PRIORITY_BITS = 31


@dataclass(frozen=True, slots=True)
class Options:
    """One request's wishes beside its sampling.

    Attributes:
        priority: the engine's queue serves lower numbers first; None where the client said nothing.
        lora_name: the adapter to answer with; None is the model itself.
        tools: functions that the model may call, as OpenAI's API describes them.
        template_arguments: for the chat template, such as enable_thinking.
    """

    priority: int | None = None
    lora_name: str | None = None
    tools: tuple[Mapping[str, object], ...] = ()
    template_arguments: Mapping[str, object] = field(default_factory=dict)


def read_options(given: Mapping[str, object], at: str) -> Options:
    """The options among a client's parameters; whatever else is there is left alone.

    Args:
        given: the client's parameters.
        at: the input that held them, for messages about it.

    Raises:
        BadRequest: naming the parameter that is wrong.
    """
    return Options(
        priority=_priority(given.get(PRIORITY), at),
        lora_name=_lora_name(given.get(LORA_NAME), at),
        tools=_tools(given.get(TOOLS), at),
        template_arguments=_template_arguments(given.get(TEMPLATE_ARGUMENTS), at),
    )


def _priority(value: object, at: str) -> int | None:
    if value is None:
        return None
    # NVIDIA's clients send every value as text.
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    digits = text.strip().removeprefix("-")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > _PRIORITY_BITS:
        raise BadRequest(at, f"{PRIORITY!r} must be an integer, not {shown(value)}")
    number = int(text)
    if abs(number) >= 2**_PRIORITY_BITS:
        raise BadRequest(at, f"{PRIORITY!r} must lie within ±(2^31-1), not {number}")
    return number


def _lora_name(value: object, at: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise BadRequest(at, f"{LORA_NAME!r} must be the name of an adapter, not {shown(value)}")
    return value


def _tools(value: object, at: str) -> tuple[Mapping[str, object], ...]:
    if value is None:
        return ()
    tools = parse_json(at, TOOLS, value) if isinstance(value, str) else value
    if not isinstance(tools, list):
        raise BadRequest(at, f"{TOOLS!r} must be a list of functions, not {kind_of(tools)}")
    for number, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or not name:
            raise BadRequest(
                at,
                f'{TOOLS!r}: entry {number} must be {{"type": "function", "function": {{"name",'
                f' "description", "parameters"}}}}, not {shown(tool)}',
            )
    return tuple(tools)


def _template_arguments(value: object, at: str) -> Mapping[str, object]:
    if value is None:
        return {}
    arguments = parse_json(at, TEMPLATE_ARGUMENTS, value) if isinstance(value, str) else value
    if not isinstance(arguments, dict):
        raise BadRequest(at, f"{TEMPLATE_ARGUMENTS!r} must be an object, not {kind_of(arguments)}")
    for name in arguments:
        if name in _RESERVED:
            raise BadRequest(at, f"{TEMPLATE_ARGUMENTS!r} may not set {name!r}")
    return arguments
