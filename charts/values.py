"""The chart's values.yaml as entries: path, meaning, default, and what its @schema lines add.

A comment right above a key is the value's meaning; a line of it that begins with `@schema` holds,
as YAML, what a default cannot tell: a bound, a pattern, a type of `schema.DEFINITIONS`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_SCHEMA = "@schema "
_CLOSED_BY_HAND = {"$ref", "type", "additionalProperties"}


class UndocumentedError(Exception):
    """A value has no meaning; the text names it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value, or a group of them.

    Attributes:
        path: keys from the top, as `--set` joins them with dots.
        meaning: the comment above it, empty for a group whose name says it all.
        default: as values.yaml has it.
        more: what its @schema line holds.
        members: the values of a group; empty for a value.
    """

    path: tuple[str, ...]
    meaning: str
    default: Any
    more: Mapping[str, Any] = field(default_factory=dict)
    members: tuple["Entry", ...] = ()

    @property
    def name(self) -> str:
        """As `--set` names it."""
        return ".".join(self.path)

    def every(self) -> Iterator["Entry"]:
        """It and all below it, in the file's order."""
        yield self
        for each in self.members:
            yield from each.every()


def _comment(lines: list[str], key: yaml.Node) -> list[str]:
    indent = " " * key.start_mark.column
    found: list[str] = []
    for line in reversed(lines[: key.start_mark.line]):
        if not line.startswith(f"{indent}#"):
            break
        found.insert(0, line.strip().removeprefix("#").removeprefix(" "))
    return found


def _entry(
    lines: list[str], path: tuple[str, ...], nodes: tuple[yaml.Node, yaml.Node], default: object
) -> Entry:
    key, node = nodes
    said = _comment(lines, key)
    more: dict[str, Any] = {}
    for line in said:
        if line.startswith(_SCHEMA):
            more |= yaml.safe_load(line.removeprefix(_SCHEMA))
    meaning = " ".join(line for line in said if not line.startswith(_SCHEMA))
    members: tuple[Entry, ...] = ()
    if isinstance(default, dict) and default and not _CLOSED_BY_HAND & set(more):
        members = _entries(lines, path, node, default)
    elif not meaning:
        raise UndocumentedError(f"values.yaml: {'.'.join(path)} has no comment that says it")
    return Entry(path, meaning, default, more, members)


def _entries(
    lines: list[str], path: tuple[str, ...], node: yaml.Node | None, defaults: Mapping[str, Any]
) -> tuple[Entry, ...]:
    if not isinstance(node, yaml.MappingNode):
        raise UndocumentedError(f"values.yaml: {'.'.join(path) or 'it'} is no mapping of values")
    return tuple(
        _entry(lines, (*path, key.value), (key, value), defaults[key.value])
        for key, value in node.value
    )


def entries(text: str) -> tuple[Entry, ...]:
    """The values of a values.yaml, in its order.

    Raises:
        UndocumentedError: a value has no comment.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return _entries(text.splitlines(), (), node, yaml.safe_load(text))
