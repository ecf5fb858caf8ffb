"""JSON from strangers: read without surprises, shown without repeating all of it."""

from __future__ import annotations

import json

from qwen_triton.refusals import BadRequest

# Far beyond any schema or tool, and well within what Python, vLLM and a grammar can follow.
DEEPEST = 64
# A message repeats so much of a wrong value, and no more.
_SHOWN = 200


def parse_json(field: str, name: str, text: str) -> object:
    """The value in a JSON text.

    Args:
        field: the input that held it.
        name: of the parameter inside it; the field's own where the text is all of it.
        text: the JSON.

    Raises:
        BadRequest: when it is none.
    """
    where = "" if name == field else f"{name!r} is "

    def refuse(constant: str) -> object:
        raise BadRequest(field, f"{constant} is not JSON")

    try:
        value: object = json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise BadRequest(field, f"{where}nested too deeply") from error
    except ValueError as error:
        raise BadRequest(field, f"{where}not JSON: {error}") from error
    if text.count("[") + text.count("{") > DEEPEST and _is_deep(value):
        raise BadRequest(field, f"{where}nested too deeply; {DEEPEST} levels are allowed")
    return value


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        level = inner
    return any(isinstance(each, (dict, list)) for each in level)


def kind_of(value: object) -> str:
    """A JSON value's type in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a bool", type(None): "null"}
    return names.get(type(value), "a number")


def shown(value: object) -> str:
    """A value in a message to whoever sent it."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # Nested beyond repr, or an integer of more digits than Python writes out.
        return kind_of(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
