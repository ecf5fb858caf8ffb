"""What a scalar of a YAML file means to kubectl, whose reader turns YAML into JSON.

It is neither YAML 1.1 nor 1.2: `y` is true, `1e3` a number, `1:30` a text, `017` fifteen. The rules
are go-yaml's (version 2) and sigs.k8s.io/yaml's; a test asks kubectl itself.
"""

import math
import re
from typing import Any

from qwen_operator.errors import InvalidSpec

_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"), True),
    **dict.fromkeys(("on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE"), False),
    **dict.fromkeys(("off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+)|(0|[1-9][0-9]*))")
_BASES = (16, 8, 2, 10)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SIGNED_FROM, _UNSIGNED_TO = -(2**63), 2**64
_INT64 = 2**63


def _integer(text: str) -> int | None:
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    digits = ((part, base) for part, base in zip(found.groups()[1:], _BASES, strict=True) if part)
    part, base = next(digits)
    value = int(part, base)
    return -value if found[1] == "-" else value


def plain(text: str) -> Any:  # noqa: ANN401 - any scalar
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    # A number that begins with a point keeps its underscores, and so is none.
    digits = text if text[0] == "." else text.replace("_", "")
    whole = _integer(digits)
    if whole is not None and _SIGNED_FROM <= whole < _UNSIGNED_TO:
        return whole
    number = float(digits) if _FLOAT.fullmatch(digits) else math.inf
    return text if math.isinf(number) else number


def _number(value: float) -> float:
    if math.isinf(value) or math.isnan(value):
        raise InvalidSpec(f"{value} is no number that JSON knows, and kubectl refuses it")
    return int(value) if value.is_integer() and abs(value) < _INT64 else value


def key(value: object) -> str:
    """A field's name as kubectl sends it.

    Raises:
        InvalidSpec: it cannot be one.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, list | dict):
        raise InvalidSpec(f"{value!r} cannot be the name of a field")
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_json(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """A value as kubectl sends it: JSON's types alone.

    Raises:
        InvalidSpec: JSON has no such value.
    """
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    if isinstance(value, float):
        return _number(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
