"""What values an engine argument takes, as vLLM's own annotations tell, and what is wrong with one.

Only what must fail is told: what an annotation leaves open, such as the fields of an object, is
vLLM's to judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """A form of JSON value; its text names it to a person."""

    BOOL = "true or false"
    INT = "a whole number"
    FLOAT = "a number"
    TEXT = "a text"
    LIST = "a list"
    OBJECT = "an object"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Takes:
    """What an argument takes.

    Attributes:
        forms: the forms of value.
        options: values that it takes whatever the forms say.
        least: the smallest number, inclusive.
        above: the greatest number that is too small.
        most: the greatest number, inclusive.
        below: the smallest number that is too great.
        each: what a list's elements, or an object's values, must be.
    """

    forms: tuple[Form, ...] = ()
    options: tuple[str | int, ...] = ()
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    each: "Takes | None" = None

    def __str__(self) -> str:
        named = [str(each) for each in self.forms if each is not Form.NULL]
        if Form.FLOAT in self.forms and Form.INT in self.forms:
            named.remove(Form.INT)
        told = [", ".join(map(str, self.options))] if self.options else []
        bounds = (
            ("at least", self.least),
            ("above", self.above),
            ("at most", self.most),
            ("below", self.below),
        )
        limits = " and ".join(f"{word} {value:g}" for word, value in bounds if value is not None)
        text = " or ".join([*told, *named]) or Form.NULL
        return f"{text} {limits}".strip()

    def complaint(self, value: object) -> str | None:
        """What is wrong with a value; None where nothing is, or may be."""
        if isinstance(value, str | int) and not isinstance(value, bool) and value in self.options:
            return None
        found = form(value)
        if found not in self.forms and not (found is Form.INT and Form.FLOAT in self.forms):
            return f"it takes {self}, given {_shown(value)}"
        if isinstance(value, int | float) and not isinstance(value, bool):
            return None if self._is_within(value) else f"it takes {self}, given {value}"
        if self.each is None:
            return None
        inner: Sequence[object] = ()
        if isinstance(value, Mapping):
            inner = list(value.values())
        elif isinstance(value, Sequence) and not isinstance(value, str):
            inner = value
        told = (self.each.complaint(each) for each in inner)
        return next((f"of each part: {words}" for words in told if words), None)

    def _is_within(self, number: float) -> bool:
        return not (
            (self.least is not None and number < self.least)
            or (self.above is not None and number <= self.above)
            or (self.most is not None and number > self.most)
            or (self.below is not None and number >= self.below)
        )


_FORMS = {type(None): Form.NULL, bool: Form.BOOL, int: Form.INT, str: Form.TEXT, dict: Form.OBJECT}


def form(value: object) -> Form:
    """The form of a JSON value; 2.0 is a whole number, as in JSON."""
    if isinstance(value, float):
        return Form.INT if value.is_integer() else Form.FLOAT
    return _FORMS.get(type(value), Form.LIST)


def _shown(value: object) -> str:
    kind = form(value)
    return kind.value if kind in {Form.LIST, Form.OBJECT, Form.NULL} else f"{value!r:.60}"
