"""Any spec that the schema allows, made from the schema itself."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from qwen_operator.api.v1alpha1 import Spec

Json = dict[str, Any]
Strategy = st.SearchStrategy[Any]

_WHOLE = Spec.model_json_schema(by_alias=True, mode="validation")
_FEW = 3
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=_FEW) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


def _text(node: Json) -> Strategy:
    least, most = node.get("minLength", 0), node.get("maxLength", 40)
    if "pattern" in node:
        return st.from_regex(node["pattern"], fullmatch=True).filter(
            lambda made: least <= len(made) <= most
        )
    # Surrogates cannot come over the wire; the second line is for those who forget to quote.
    usual = st.text(st.characters(codec="utf-8"), min_size=least, max_size=40)
    return usual | st.text("\"'\\{}[]#$:\n%", min_size=least, max_size=12)


def _object(node: Json) -> Strategy:
    if "properties" not in node:
        values = node.get("additionalProperties")
        inner = of(values) if isinstance(values, dict) and values else _ANYTHING
        return st.dictionaries(st.text(min_size=1, max_size=12), inner, max_size=_FEW)
    required = set(node.get("required", ()))
    fields = {name: of(child) for name, child in node["properties"].items()}
    return st.fixed_dictionaries(
        {name: each for name, each in fields.items() if name in required},
        optional={name: each for name, each in fields.items() if name not in required},
    )


def of(node: Json) -> Strategy:
    """Values that a node of pydantic's JSON schema allows."""
    if "$ref" in node:
        return of(_WHOLE["$defs"][node["$ref"].removeprefix("#/$defs/")])
    if "anyOf" in node:
        return st.one_of(*(of(each) for each in node["anyOf"] if each != {"type": "null"}))
    if "enum" in node:
        return st.sampled_from(node["enum"])
    make = _BY_TYPE.get(node.get("type", ""))
    return make(node) if make else _ANYTHING


def _array(node: Json) -> Strategy:
    most = min(_FEW, node.get("maxItems", _FEW))
    return st.lists(of(node["items"]), min_size=node.get("minItems", 0), max_size=most)


_BY_TYPE: dict[str, Callable[[Json], Strategy]] = {
    "string": _text,
    "integer": lambda node: st.integers(node["minimum"], node["maximum"]),
    "number": lambda node: st.floats(node["minimum"], node["maximum"]),
    "boolean": lambda _node: st.booleans(),
    "array": _array,
    "object": _object,
}


SPECS: Strategy = of(_WHOLE)
