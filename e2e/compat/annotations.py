"""What vLLM's annotations say of its engine arguments, read from its source, never imported."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from qwen_operator.compat.values import Form, Takes

_PLAIN = {
    "bool": (Form.BOOL,),
    "int": (Form.INT,),
    "float": (Form.FLOAT,),
    "str": (Form.TEXT,),
    "None": (Form.NULL,),
    "dict": (Form.OBJECT,),
    "Dict": (Form.OBJECT,),
    "Mapping": (Form.OBJECT,),
    "list": (Form.LIST,),
    "List": (Form.LIST,),
    "set": (Form.LIST,),
    "tuple": (Form.LIST,),
    "Tuple": (Form.LIST,),
}
_LISTS, _OBJECTS = {"list", "List", "set"}, {"dict", "Dict", "Mapping"}
_NO_JSON = {"type", "Type", "Callable", "dtype"}
_BOUNDS = {"ge": "least", "gt": "above", "le": "most", "lt": "below"}
# A number instead of an object means a level of it.
_LENIENT = {"CompilationConfig"}

Node = ast.expr


@dataclass(frozen=True, slots=True)
class Field:
    """One annotated field of a class."""

    annotation: Node
    value: Node | None


@dataclass(slots=True)
class Source:
    """The modules of one version, as far as they matter.

    Attributes:
        aliases: name → what it stands for.
        classes: name → its fields.
    """

    aliases: dict[str, Node] = field(default_factory=dict)
    classes: dict[str, dict[str, Field]] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Read one more module."""
        for node in _statements(ast.parse(text).body):
            match node:
                case ast.ClassDef():
                    self.classes.setdefault(node.name, _fields(node))
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.aliases.setdefault(name, value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self.aliases.setdefault(name, value)

    def engine_arguments(self) -> dict[str, Field]:
        """Fields of EngineArgs and AsyncEngineArgs; what begins with _ is vLLM's own business."""
        both = {**self.classes["EngineArgs"], **self.classes["AsyncEngineArgs"]}
        return {name: each for name, each in both.items() if not name.startswith("_")}

    def takes(self, name: str, found: Field) -> Takes | None:
        """What an argument takes; None where its annotation leaves it open."""
        made = self._type(found.annotation)
        if made is None:
            return None
        configured = self._configured(name, found)
        default = configured.value if configured else found.value
        if _may_be_none(default, known=configured is not None or found.value is not None):
            made = replace(made, forms=_joined(made.forms, (Form.NULL,)))
        if configured is not None and {Form.INT, Form.FLOAT} & set(made.forms):
            made = _bounded(made, configured.value)
        return made

    def _configured(self, name: str, found: Field) -> Field | None:
        """The field of a configuration class that an argument ends in."""
        match found.value:
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
                return self.classes.get(owner, {}).get(attribute)
        holders = [
            fields[name]
            for owner, fields in self.classes.items()
            if owner.endswith("Config") and name in fields
        ]
        return holders[0] if len(holders) == 1 else None

    def _type(self, node: Node) -> Takes | None:
        match node:
            case ast.Constant(value=None):
                return Takes((Form.NULL,))
            case ast.Constant(value=str(text)):
                return self._type(ast.parse(text, mode="eval").body)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._union([left, right])
            case ast.Name(id=name):
                return self._named(name)
            case ast.Subscript(value=ast.Name(id=name), slice=inner):
                return self._subscript(name, inner)
        return None

    def _named(self, name: str) -> Takes | None:
        if name in _PLAIN:
            return Takes(_PLAIN[name])
        if name in self.aliases:
            return self._type(self.aliases[name])
        is_object = name.endswith("Config") and name not in _LENIENT and name in self.classes
        return Takes((Form.OBJECT,)) if is_object else None

    def _subscript(self, name: str, inner: Node) -> Takes | None:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Optional":
            return self._union([inner, ast.Constant(None)])
        if name == "Union":
            return self._union(parts)
        if name == "Literal":
            options = self._options(parts)
            return Takes(options=options) if options else None
        if name in _LISTS:
            return Takes((Form.LIST,), each=self._type(inner))
        if name in _OBJECTS:
            return Takes((Form.OBJECT,), each=self._type(parts[1]))
        return Takes(_PLAIN[name]) if name in _PLAIN else None

    def _options(self, parts: Iterable[Node]) -> tuple[str | int, ...]:
        found: list[str | int] = []
        for part in parts:
            match part:
                case ast.Constant(value=str() | int() as value):
                    found.append(value)
                case ast.Name(id=name) if name in self.aliases:
                    inner = self._type(self.aliases[name])
                    found += inner.options if inner else ()
        return tuple(dict.fromkeys(found))

    def _union(self, parts: Iterable[Node]) -> Takes | None:
        made = Takes()
        for part in parts:
            if _is_no_json(part):
                continue
            each = self._type(part)
            if each is None:
                return None
            made = replace(
                made,
                forms=_joined(made.forms, each.forms),
                options=(*made.options, *each.options),
                each=made.each or each.each,
            )
        # A text is any text, whatever else is listed.
        return replace(made, options=()) if Form.TEXT in made.forms else made


def _statements(body: Iterable[ast.stmt]) -> Iterable[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _statements(node.body)
        else:
            yield node


def _fields(node: ast.ClassDef) -> dict[str, Field]:
    return {
        each.target.id: Field(each.annotation, each.value)
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }


def _is_no_json(node: Node) -> bool:
    """What no JSON value is: a class, a function."""
    match node:
        case ast.Subscript(value=ast.Name(id=name)) | ast.Name(id=name):
            return name in _NO_JSON
        case ast.Attribute(attr=name):
            return name in _NO_JSON
    return False


def _call_arguments(value: Node | None) -> Mapping[str, Node] | None:
    match value:
        case ast.Call(func=ast.Name(id="Field") | ast.Name(id="field"), args=args, keywords=words):
            made = {each.arg: each.value for each in words if each.arg}
            return {**({"default": args[0]} if args else {}), **made}
    return None


def _may_be_none(value: Node | None, *, known: bool) -> bool:
    """Whether null is the default, or could be."""
    if not known or value is None:
        return True
    arguments = _call_arguments(value)
    if arguments is not None:
        value = arguments.get("default")
    match value:
        case ast.Constant(value=default):
            return default is None
        case ast.UnaryOp():
            return False
    return True


def _bounded(takes: Takes, value: Node | None) -> Takes:
    """With the bounds that a field's default tells, as `Field(default=1, ge=1)` does."""
    found: dict[str, float] = {}
    for word, node in (_call_arguments(value) or {}).items():
        if word in _BOUNDS:
            try:
                found[_BOUNDS[word]] = float(ast.literal_eval(node))
            except ValueError:
                continue
    return replace(
        takes,
        least=found.get("least", takes.least),
        above=found.get("above", takes.above),
        most=found.get("most", takes.most),
        below=found.get("below", takes.below),
    )


def _joined(one: tuple[Form, ...], two: tuple[Form, ...]) -> tuple[Form, ...]:
    return tuple(dict.fromkeys((*one, *two)))
