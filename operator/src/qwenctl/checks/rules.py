"""The schema's CEL rules, evaluated as the API server does."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import cel

from qwen_operator.api.base import RULES_KEY
from qwen_operator.api.quantities import amount
from qwenctl.checks.findings import Finding, Origin, Where, dotted

_INT64 = 2**63


def _quantity(text: str) -> dict[str, str]:
    if amount(text) is None:
        raise ValueError(f"{text!r} is no quantity")
    return {"quantity": text}


def _size(of: Mapping[str, str]) -> Decimal:
    return amount(of["quantity"]) or Decimal(0)


def _is_whole(of: Mapping[str, str]) -> bool:
    size = _size(of)
    return size == size.to_integral_value() and abs(size) < _INT64


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "isQuantity": lambda text: isinstance(text, str) and amount(text) is not None,
    "quantity": _quantity,
    "isGreaterThan": lambda one, other: _size(one) > _size(other),
    "isInteger": _is_whole,
    "asInteger": lambda of: int(_size(of)),
}
"""Kubernetes' own additions to CEL that the rules use, by the names that they have there."""


@cache
def _program(expression: str) -> cel.Program:
    return cel.compile(expression)


def holds(expression: str, /, **values: object) -> object:
    """What an expression comes to for `self`, and `oldSelf` in a rule about changes."""
    context = cel.Context(variables=dict(values), functions=_FUNCTIONS)
    return _program(expression).execute(context)


def _message(rule: Mapping[str, str], value: object) -> str:
    expression = rule.get("messageExpression")
    return rule["message"] if expression is None else str(holds(expression, self=value))


def _complaint(rule: Mapping[str, str], **values: object) -> str | None:
    """What a rule says; None where it holds."""
    try:
        if holds(rule["rule"], **values) is True:
            return None
        return _message(rule, values["self"])
    except TypeError:
        # As 1.0 in JSON, where the schema takes it for a whole number and the rule does not.
        return f"{rule['message']} (numbers are written without a point: 1, not 1.0)"


def broken(node: Mapping[str, Any], value: Any, where: Where) -> Iterator[Finding]:  # noqa: ANN401
    """Every rule below a value that does not hold.

    Args:
        node: of the schema.
        value: with the schema's defaults filled in, and structurally valid.
        where: the value's path.
    """
    for each in node.get(RULES_KEY, ()):
        # What may not change says nothing of a file.
        words = None if "oldSelf" in each["rule"] else _complaint(each, self=value)
        if words is None:
            continue
        field = tuple(each.get("fieldPath", "").split(".")[1:])
        place = (*where, *field)
        named = words if words.startswith("spec.") else f"{dotted(place)}: {words}"
        yield Finding(place, named, Origin.api_server)
    if isinstance(value, dict):
        for name, child in node.get("properties", {}).items():
            if name in value:
                yield from broken(child, value[name], (*where, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from broken(node.get("items", {}), each, (*where, number))


def changed_though_fixed(
    node: Mapping[str, Any],
    value: Any,  # noqa: ANN401 - any JSON value
    before: Any,  # noqa: ANN401 - any JSON value
    where: Where,
) -> Iterator[Finding]:
    """Every rule about changes that a new value breaks.

    Args:
        node: of the schema.
        value: with the schema's defaults filled in.
        before: the same, as it is stored now.
        where: the value's path.
    """
    for each in node.get(RULES_KEY, ()):
        if "oldSelf" not in each["rule"]:
            continue
        if (words := _complaint(each, self=value, oldSelf=before)) is not None:
            field = tuple(each.get("fieldPath", "").split(".")[1:])
            yield Finding((*where, *field), words, Origin.api_server)
    if isinstance(value, dict) and isinstance(before, dict):
        for name in node.get("properties", {}).keys() & value.keys() & before.keys():
            child = node["properties"][name]
            yield from changed_though_fixed(child, value[name], before[name], (*where, name))
