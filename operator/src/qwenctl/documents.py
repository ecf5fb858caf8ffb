"""Documents of a YAML or JSON text as kubectl reads them, with the line of each field."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import yaml

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec
from qwenctl import scalars

Where = tuple[str | int, ...]

_MOST_NODES = 100_000
_DEEPEST = 100
_PLAIN = "!plain"
_MERGE = "tag:yaml.org,2002:merge"
_LISTS = ("List", f"{naming.KIND}List")


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file.

    Attributes:
        body: what it holds.
        line: where it begins, from 1.
        lines: path of each field → line of its key (or list item), from 1.
        repeated: paths of keys that stand twice, with the second's line.
    """

    body: Any
    line: int
    lines: Mapping[Where, int] = field(default_factory=dict)
    repeated: tuple[tuple[Where, int], ...] = ()

    def line_of(self, path: Where) -> int:
        """The line of a field, or of the nearest one around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)

    def below(self, path: Where) -> "Document":
        """A part of it, as a document of its own."""
        body = self.body
        for each in path:
            body = body[each]
        size = len(path)
        lines = {where[size:]: line for where, line in self.lines.items() if where[:size] == path}
        repeated = [(where[size:], at) for where, at in self.repeated if where[:size] == path]
        return Document(body, self.line_of(path), lines, tuple(repeated))


class _Walk:
    """One document's nodes, each written down with its line."""

    def __init__(self) -> None:
        self.lines: dict[Where, int] = {}
        self.twice: list[tuple[Where, int]] = []
        self._left = _MOST_NODES

    def down(self, node: yaml.Node, path: Where) -> None:
        """Write down a node and what is below it.

        Raises:
            InvalidSpec: aliases make it endless or enormous.
        """
        self._left -= 1
        if self._left < 0 or len(path) > _DEEPEST:
            raise InvalidSpec(
                f"line {node.start_mark.line + 1}: nested too deep, or too large once its aliases"
                " are written out"
            )
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*path, str(getattr(key, "value", "")))
                line = key.start_mark.line + 1
                if here in self.lines:
                    self.twice.append((here, line))
                self.lines[here] = line
                self.down(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self.lines[*path, number] = value.start_mark.line + 1
                self.down(value, (*path, number))


class _Loader(yaml.SafeLoader):
    """Plain scalars mean what they mean to kubectl."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:  # noqa: ANN401 - PyYAML's
        """PyYAML's: the tag of a node that has none."""
        if kind is yaml.ScalarNode and implicit[0]:
            return _MERGE if value == "<<" else _PLAIN
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - PyYAML's
        """PyYAML's: fields are named by texts, before 1 and true become one key of a dict."""
        self.flatten_mapping(node)
        return {
            scalars.key(self.construct_object(key, deep=True)): self.construct_object(value, deep)
            for key, value in node.value
        }


_Loader.add_constructor(_PLAIN, lambda _, node: scalars.plain(node.value))
_Loader.add_constructor(_MERGE, lambda _, node: node.value)


def _yaml_documents(text: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = cast("yaml.Node", loader.get_node())
            walk = _Walk()
            walk.down(node, ())
            place = node.start_mark.line + 1
            try:
                body = scalars.as_json(loader.construct_document(node))
            except InvalidSpec as problem:
                raise InvalidSpec(f"line {place}: {problem}") from problem
            yield Document(body, place, walk.lines, tuple(walk.twice))
    finally:
        loader.dispose()


def _no_constant(word: str) -> NoReturn:
    raise InvalidSpec(f"{word} is no number that JSON knows")


def _json_document(text: str) -> Document | None:
    """The text as JSON, whose escapes YAML reads otherwise; None where it is not JSON."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        body = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError:
        return None
    try:
        # No string of JSON holds a tab, and YAML allows none between its parts.
        (seen,) = _yaml_documents(text.replace("\t", " "))
    except (yaml.YAMLError, ValueError):
        return Document(body, 1)
    return Document(body, seen.line, seen.lines, seen.repeated)


def _each(found: Document) -> Iterator[Document]:
    """The document, or what it lists, as `kubectl get -o yaml` writes several."""
    body = found.body
    if (
        isinstance(body, dict)
        and body.get("kind") in _LISTS
        and isinstance(body.get("items"), list)
    ):
        for number in range(len(body["items"])):
            yield found.below(("items", number))
    elif body is not None:
        yield found


def documents(text: str, name: str) -> list[Document]:
    """Every object of a YAML or JSON text.

    Raises:
        InvalidSpec: it is neither; names the line and the column.
    """
    try:
        whole = _json_document(text)
        every = _yaml_documents(text) if whole is None else [whole]
        return [each for found in every for each in _each(found)]
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = getattr(problem, "problem", None) or str(problem)
        raise InvalidSpec(f"{name}{where}: not YAML: {said}") from problem
    except InvalidSpec as problem:
        raise InvalidSpec(f"{name}, {problem}") from problem
    except RecursionError as problem:
        raise InvalidSpec(f"{name}: nested too deep") from problem


def is_ours(body: object) -> bool:
    """An object of our kind, of whatever version."""
    return isinstance(body, dict) and body.get("kind") == naming.KIND
