"""What a new schema takes away from the users of a published one."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_LOWER = ("maximum", "maxLength", "maxItems", "maxProperties")
_UPPER = ("minimum", "minLength", "minItems", "minProperties")


def _bounds(old: Json, new: Json, path: str) -> Iterator[str]:
    for bound in _LOWER:
        if bound in new and new[bound] < old.get(bound, float("inf")):
            yield f"{path}: {bound} {old.get(bound)} became {new[bound]}"
    for bound in _UPPER:
        if bound in new and new[bound] > old.get(bound, float("-inf")):
            yield f"{path}: {bound} {old.get(bound)} became {new[bound]}"


def narrowings(old: Json, new: Json, path: str) -> Iterator[str]:
    """Every way in which what the old schema took may be refused, or lost, by the new one."""
    if old.get("type") != new.get("type"):
        yield f"{path}: type {old.get('type')} became {new.get('type')}"
        return
    yield from _values(old, new, path)
    yield from _fields(old, new, path)


def _values(old: Json, new: Json, path: str) -> Iterator[str]:
    if "enum" in new and (gone := set(old.get("enum", ["anything"])) - set(new["enum"])):
        yield f"{path}: {sorted(gone)} is no longer allowed"
    if old.get("default") != new.get("default") and "default" in old and "properties" not in old:
        yield f"{path}: default {old['default']!r} became {new.get('default')!r}"
    yield from _bounds(old, new, path)
    if new.get("pattern") not in {None, old.get("pattern")}:
        yield f"{path}: pattern became {new['pattern']}"
    known = {each["rule"] for each in old.get("x-kubernetes-validations", ())}
    for each in new.get("x-kubernetes-validations", ()):
        if each["rule"] not in known:
            yield f"{path}: new rule {each['rule']}"


def _fields(old: Json, new: Json, path: str) -> Iterator[str]:
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{path}.{name}: became required"
    for name, child in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{path}.{name}: disappeared"
        else:
            yield from narrowings(child, new["properties"][name], f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if inner in old and inner in new:
            yield from narrowings(old[inner], new[inner], f"{path}[]")
