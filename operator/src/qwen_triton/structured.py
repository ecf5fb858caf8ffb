"""Constraints on an answer's form under all the names that clients know them by.

vLLM calls them structured_outputs, until 0.11 guided_decoding; its OpenAI server took guided_json
and its kin beside the other fields; OpenAI's clients send response_format.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

from qwen_triton.parsing import parse_json, shown
from qwen_triton.refusals import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

# One of these shapes the answer; the others say how.
_SHAPES = ("json", "regex", "choice", "grammar", "json_object", "structural_tag")
_DETAILS = ("whitespace_pattern", "disable_any_whitespace", "disable_additional_properties")
_KNOWN = (*_SHAPES, *_DETAILS)

_WHOLE = ("structured_outputs", "guided_decoding")
_ALONE: Mapping[str, str] = {
    "json_schema": "json",
    "guided_json": "json",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
    "guided_json_object": "json_object",
    "guided_whitespace_pattern": "whitespace_pattern",
    "structural_tag": "structural_tag",
}
_FORMAT = "response_format"
_FORMATS = ("text", "json_object", "json_schema", "structural_tag")
BACKEND = "guided_decoding_backend"

NAMES: tuple[str, ...] = (*_WHOLE, *_ALONE, _FORMAT)


def constraint(given: Mapping[str, object], field: str) -> dict[str, object]:
    """What the client wants of the answer's form, as vLLM's own fields; empty when nothing.

    Args:
        given: the client's parameters, of which only those about the form are read.
        field: the input that held them, for messages about it.

    Raises:
        BadRequest: naming the parameter that is wrong.
    """
    if given.get(BACKEND) is not None:
        raise BadRequest(
            field, f"{BACKEND!r} cannot be chosen per request; vLLM has one for the whole engine"
        )
    made: dict[str, object] = {}
    for name in NAMES:
        value = given.get(name)
        if value is None:
            continue
        for key, part in _parts(name, value, field).items():
            if key in made:
                raise BadRequest(field, f"{name!r} says {key!r} a second time; say it once")
            made[key] = part
    if made.get("json_object") is False:
        del made["json_object"]
    shapes = [name for name in _SHAPES if name in made]
    if len(shapes) > 1:
        raise BadRequest(field, f"the answer cannot be both {' and '.join(shapes)}; choose one")
    if made and not shapes:
        raise BadRequest(field, f"{next(iter(made))!r} goes with one of {', '.join(_SHAPES)}")
    return made


def _parts(name: str, value: object, field: str) -> dict[str, object]:
    if name in _ALONE:
        return {_ALONE[name]: _checked(name, _ALONE[name], value, field)}
    parts = parse_json(field, name, value) if isinstance(value, str) else value
    if not isinstance(parts, dict):
        raise BadRequest(field, f"{name!r} must be an object, not {shown(value)}")
    if name == _FORMAT:
        return _of_format(parts, field)
    for key in parts:
        if key not in _KNOWN:
            near = difflib.get_close_matches(key, _KNOWN, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_KNOWN)}"
            raise BadRequest(field, f"{name!r} has no {shown(key)}; {hint}")
    return {
        key: _checked(f"{name}.{key}", key, part, field)
        for key, part in parts.items()
        if part is not None
    }


def _of_format(parts: Mapping[str, object], field: str) -> dict[str, object]:
    kind = parts.get("type")
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"json_object": True}
    if kind == "structural_tag":
        return {"structural_tag": json.dumps(parts)}
    if kind == "json_schema":
        wrapped = parts.get("json_schema")
        schema = wrapped.get("schema") if isinstance(wrapped, dict) else None
        return {"json": _checked(f"{_FORMAT}.json_schema.schema", "json", schema, field)}
    words = f"{_FORMAT}.type must be one of {', '.join(_FORMATS)}, not {shown(kind)}"
    raise BadRequest(field, words)


def _checked(name: str, key: str, value: object, field: str) -> object:
    found: object
    match key:
        case "json":
            schema = parse_json(field, name, value) if isinstance(value, str) else value
            wanted, found = "a JSON schema", schema if isinstance(schema, dict) else None
        case "choice":
            choices = _list(value, name, field)
            texts = bool(choices) and all(isinstance(each, str) and each for each in choices)
            wanted, found = "a list of texts", choices if texts else None
        case "json_object" | "disable_any_whitespace" | "disable_additional_properties":
            flags: dict[object, bool] = {True: True, False: False, "true": True, "false": False}
            key_of = value.lower() if isinstance(value, str) else value
            is_flag = isinstance(key_of, (bool, str))
            wanted, found = "true or false", flags.get(key_of) if is_flag else None
        case _:
            wanted, found = "text", value if isinstance(value, str) and value else None
    if found is None:
        raise BadRequest(field, f"{name!r} must be {wanted}, not {shown(value)}")
    return found


def _list(value: object, name: str, field: str) -> list[object]:
    """A list, also as NVIDIA's clients send everything: as text."""
    found = parse_json(field, name, value) if isinstance(value, str) else value
    return found if isinstance(found, list) else []
