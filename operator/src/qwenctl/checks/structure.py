"""The structural schema, as the API server applies it: unknown fields, types, bounds, defaults."""

import copy
import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from qwenctl.checks.findings import Finding, Origin, Where, dotted

Json = dict[str, Any]

KEYWORDS = {
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "properties",
    "additionalProperties",
    "required",
    "type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
}
"""What is understood here; a test sees to it that the schema holds nothing else."""

_LIKENESS = 0.6
_INT64 = 2**63
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and float(value).is_integer()
        and abs(value) < _INT64
    ),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's share


def _told(where: Where, words: str, *, blocking: bool = True) -> Finding:
    # Which errors block: apiextensions-apiserver, hasBlockingErr.
    return Finding(where, f"{dotted(where)}: {words}", Origin.api_server, blocking=blocking)


def _bounds(node: Mapping[str, Any], value: Any, where: Where) -> Iterator[Finding]:  # noqa: ANN401
    if "enum" in node and value not in node["enum"]:
        allowed = ", ".join(map(str, node["enum"]))
        yield _told(where, f"{_shown(value)} is not one of {allowed}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = node.get("minimum"), node.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            words = f"{_shown(value)} is not within {low} … {high}"
            yield _told(where, words, blocking=False)
    for kind, least, most, what in (
        (str, "minLength", "maxLength", "characters"),
        (list, "minItems", "maxItems", "entries"),
        (dict, "minProperties", "maxProperties", "keys"),
    ):
        if isinstance(value, kind):
            low, high = node.get(least, 0), node.get(most)
            if len(value) < low or (high is not None and len(value) > high):
                short = len(value) < low
                bounds = f"at least {low}" if short else f"at most {high}"
                words = f"{len(value)} {what}, {bounds} are allowed"
                yield _told(where, words, blocking=not short)


def _unknown(node: Mapping[str, Any], value: Json, where: Where) -> Iterator[Finding]:
    known = node.get("properties", {})
    if node.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in node:
        return
    lower = {name.lower(): name for name in known}
    for name in value:
        if name not in known:
            near = difflib.get_close_matches(str(name).lower(), lower, 1, _LIKENESS)
            hint = f"; did you mean {lower[near[0]]}?" if near else ""
            fields = "" if near else f"; known: {', '.join(known)}"
            yield _told((*where, name), f"unknown field{hint}{fields}")


def _repeated(node: Mapping[str, Any], value: list[Any], where: Where) -> Iterator[Finding]:
    keys = node.get("x-kubernetes-list-map-keys", ())
    seen: set[tuple[Any, ...]] = set()
    for number, each in enumerate(value):
        if keys and isinstance(each, dict):
            identity = tuple(str(each.get(key)) for key in keys)
            if identity in seen:
                words = f"{', '.join(identity)} stands twice"
                yield _told((*where, number), words, blocking=False)
            seen.add(identity)


def violations(node: Mapping[str, Any], value: Any, where: Where) -> Iterator[Finding]:  # noqa: ANN401
    """Everything below a value that the schema does not allow."""
    kind = str(node.get("type"))
    if kind in _TYPES and not _TYPES[kind](value):
        article = "an" if kind[0] in "aio" else "a"
        yield _told(where, f"{article} {kind} is needed, given {_shown(value)}")
        return
    yield from _bounds(node, value, where)
    if isinstance(value, dict):
        yield from _unknown(node, value, where)
        for name in node.get("required", ()):
            if name not in value:
                yield _told((*where, name), "is required and missing")
        extra = node.get("additionalProperties")
        for name, child in value.items():
            inner = node.get("properties", {}).get(name, extra)
            if isinstance(inner, dict):
                yield from violations(inner, child, (*where, name))
    elif isinstance(value, list):
        yield from _repeated(node, value, where)
        for number, each in enumerate(value):
            yield from violations(node.get("items", {}), each, (*where, number))


def without_nulls(node: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value as the API server reads it: a null sets no field that the schema knows."""
    if isinstance(value, list):
        return [without_nulls(node.get("items", {}), each) for each in value]
    if not isinstance(value, dict):
        return value
    inner = node.get("properties", {})
    return {
        name: without_nulls(inner.get(name, {}), child)
        for name, child in value.items()
        if child is not None or name not in inner
    }


def as_rules_read(node: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value as the API server's rules read it: 1.0 is taken for a whole number and is none.

    The schema lets it pass, and every rule that reads it fails; a text makes our rules fail too.
    """
    if isinstance(value, list):
        return [as_rules_read(node.get("items", {}), each) for each in value]
    if isinstance(value, dict):
        inner = node.get("properties", {})
        return {name: as_rules_read(inner.get(name, {}), child) for name, child in value.items()}
    return str(value) if isinstance(value, float) and node.get("type") == "integer" else value


def with_defaults(node: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value as the API server would store it: with the schema's defaults."""
    if isinstance(value, list):
        return [with_defaults(node.get("items", {}), each) for each in value]
    if not isinstance(value, dict):
        return value
    made = dict(value)
    for name, child in node.get("properties", {}).items():
        if name not in made and "default" in child:
            made[name] = copy.deepcopy(child["default"])
        if name in made:
            made[name] = with_defaults(child, made[name])
    return made
