"""`qwenctl explain`: a field, a reason or an alert, from the source of the docs."""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import typer
import yaml
from rich.console import RenderableType
from rich.text import Text

from qwen_operator.api.schema import fields, rules
from qwen_operator.errors import InvalidSpec
from qwen_operator.status.reasons import Reason
from qwenctl.checks.schema import SCHEMA
from qwenctl.completing import beginning
from qwenctl.output import Format, Output, plain_table, say

Json = dict[str, Any]

_PARTS = ("spec", "status")
_LIKENESS = 0.5
_MANY = 5


def every_field() -> dict[str, Mapping[str, Any]]:
    """Path → node of the schema, in order."""
    return {
        path: node for part in _PARTS for path, node in fields(SCHEMA["properties"][part], part)
    }


def _plain(path: str) -> str:
    return re.sub(r"\[\d*\]", "", path).lower().removeprefix(".")


def find_fields(given: str) -> list[str]:
    """Paths that a person may mean: the whole path, or any end of it."""
    wanted = _plain(given)
    known = every_field()
    whole = [path for path in known if _plain(path) in {wanted, f"spec.{wanted}"}]
    return whole or [path for path in known if _plain(path).endswith(f".{wanted}")]


def find_reason(given: str) -> Reason | None:
    """The reason of that name, in any spelling."""
    return next((each for each in Reason if each.name.lower() == given.lower()), None)


@cache
def every_alert() -> dict[str, Json]:
    """Name of an alert of the chart → what is known of it."""
    text = files("qwenctl").joinpath("data", "alerts.yaml").read_text(encoding="utf-8")
    return {each["alert"]: each for each in yaml.safe_load(text)}


def find_alert(given: str) -> Json | None:
    """The alert of that name, in any spelling."""
    known = {name.lower(): each for name, each in every_alert().items()}
    return known.get(given.lower())


def _kind(node: Mapping[str, Any]) -> str:
    if node.get("type") == "array":
        return f"list of {node.get('items', {}).get('type', 'any')}"
    return str(node.get("type", "any"))


def _allowed(node: Mapping[str, Any]) -> str:
    parts = [", ".join(map(str, node["enum"]))] if "enum" in node else []
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None or high is not None:
        parts.append(f"{low} … {high}")
    for least, most, what in (
        ("minLength", "maxLength", "characters"),
        ("minItems", "maxItems", "entries"),
        ("minProperties", "maxProperties", "keys"),
    ):
        if most in node:
            parts.append(f"{node.get(least, 0)} to {node[most]} {what}")
    return "; ".join(parts)


def _rules_of(path: str) -> list[str]:
    """What the schema's rules say of a field: those at it, and those above that name it."""
    found = []
    for part in _PARTS:
        for where, rule in rules(SCHEMA["properties"][part], part):
            below = path.removeprefix(f"{where}.") if path.startswith(f"{where}.") else None
            named = below and re.search(rf"self\.{re.escape(below)}\b", rule["rule"])
            if where == path or named:
                found.append(rule["message"])
    return list(dict.fromkeys(found))


def field_value(path: str) -> Json:
    """What is known of one field."""
    node = every_field()[path]
    parent, _, name = path.rpartition(".")
    above = {**SCHEMA["properties"], **every_field()}[parent.removesuffix("[]")]
    holder = above.get("items", above)
    below = [each for each in every_field() if each.startswith((f"{path}.", f"{path}[]."))]
    return {
        "field": path,
        "type": _kind(node),
        "required": name in holder.get("required", ()),
        "default": node.get("default"),
        "allowed": _allowed(node),
        "means": node.get("description", ""),
        "rules": _rules_of(path),
        "fields": below,
    }


def reason_value(reason: Reason) -> Json:
    """What is known of one reason."""
    return {
        "reason": reason.name,
        "means": reason.value.means,
        "whatToDo": reason.value.remedy,
        "mayPassByItself": reason.value.resolves,
        "isFailure": reason.value.failing,
    }


def _field_parts(value: Json) -> Iterator[RenderableType]:
    required = ", required" if value["required"] else ""
    yield Text.assemble((value["field"], "bold"), f" ({value['type']}{required})")
    yield f"  {value['means']}"
    if value["allowed"]:
        yield f"  allowed: {value['allowed']}"
    if value["default"] is not None and not isinstance(value["default"], dict):
        yield f"  default: {value['default']}"
    for each in value["rules"]:
        yield f"  rule: {each}"
    if value["fields"]:
        known = every_field()
        yield ""
        rows = [(each, known[each].get("description", "")) for each in value["fields"]]
        yield plain_table(["FIELD", "MEANING"], rows)


def _reason_parts(value: Json) -> Iterator[RenderableType]:
    yield Text.assemble((value["reason"], "bold"))
    yield f"  {value['means']}"
    yield f"  what to do: {value['whatToDo']}"
    if value["mayPassByItself"]:
        yield "  it may pass without anybody acting"


def _alert_parts(value: Json) -> Iterator[RenderableType]:
    yield Text.assemble((value["alert"], "bold"), f" ({value['severity']})")
    yield f"  {value['means']}"
    yield f"  fires when true for {value['lasting']}: {value['expression']}"
    for each in value["look"]:
        yield f"  look at: {each}"
    yield f"  what to do: {value['remedy']}"


def _everything() -> tuple[Json, list[RenderableType]]:
    found = every_field()
    reasons = {each.name: each.value.means for each in Reason}
    value = {
        "fields": {path: node.get("description", "") for path, node in found.items()},
        "reasons": reasons,
        "alerts": {name: each["means"] for name, each in every_alert().items()},
    }
    return value, [
        plain_table(["FIELD", "MEANING"], value["fields"].items()),
        "",
        plain_table(["REASON", "MEANING"], reasons.items()),
        "",
        plain_table(["ALERT", "MEANING"], value["alerts"].items()),
    ]


def _unknown(what: str) -> InvalidSpec:
    names = {path.rpartition(".")[2].lower(): path for path in every_field()}
    names |= {each.lower(): each for each in (*(one.name for one in Reason), *every_alert())}
    near = difflib.get_close_matches(what.rpartition(".")[2].lower(), names, 1, _LIKENESS)
    hint = f"; did you mean {names[near[0]]}?" if near else ""
    none = f"{what!r} is neither a field nor a reason nor an alert"
    return InvalidSpec(f"{none}{hint} (qwenctl explain lists them all)")


def offered(incomplete: str) -> list[str]:
    """What the shell offers."""
    return beginning([*every_field(), *(each.name for each in Reason), *every_alert()], incomplete)


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A field or the end of its path, a reason, an alert; all if left out.",
            autocompletion=offered,
        ),
    ] = None,
    *,
    output: Output = Format.table,
) -> None:
    """Say what a field of the resource, a reason of its status or an alert means, and what to do.

    As in maxModelLen, spec.triton.env, KVCacheTooSmall, QwenEngineDead.
    """
    if what is None:
        value, parts = _everything()
        say(value, output, parts)
        return
    if (reason := find_reason(what)) is not None:
        value = reason_value(reason)
        say(value, output, _reason_parts(value))
        return
    if (alert := find_alert(what)) is not None:
        say(alert, output, _alert_parts(alert))
        return
    found = find_fields(what)
    if not found:
        raise _unknown(what)
    if len(found) > _MANY:
        raise InvalidSpec(f"{what!r} may be any of {', '.join(found)}")
    values = [field_value(each) for each in found]
    parts = [part for each in values for part in (*_field_parts(each), "")]
    say(values[0] if len(values) == 1 else values, output, parts[:-1])
