"""What the resource's types share: frozen, camelCase on the wire, described by docstrings."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

RULES_KEY = "x-kubernetes-validations"
SAID_KEY = "x-said"
"""Words for a person where a pattern does not match; the schema's maker turns both into a rule."""


def rule(expression: str, message: str, field: str | None = None) -> dict[str, JsonValue]:
    """One CEL rule of the schema; `field` is where the API server reports it, e.g. '.maxSurge'."""
    made: dict[str, JsonValue] = {"rule": expression, "message": message}
    return made if field is None else {**made, "fieldPath": field, "reason": "FieldValueInvalid"}


def text(pattern: str, said: str, *, most: int, least: int = 1) -> Any:  # noqa: ANN401 - a Field
    """A bounded text of a form that a person is told in words, not as a regular expression."""
    return Field(
        min_length=least, max_length=most, pattern=pattern, json_schema_extra={SAID_KEY: said}
    )


class Part(BaseModel):
    """A node of the resource's tree."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


SecretKey = Annotated[
    str, text(r"^[-._a-zA-Z0-9]+$", "a Secret's key holds letters, digits, '-', '_', '.'", most=253)
]
ObjectName = Annotated[
    str,
    text(
        r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "an object's name holds lower-case letters, digits, '-' and '.', and begins and ends with a"
        " letter or digit",
        most=253,
    ),
]
Quantity = Annotated[
    str,
    text(
        r"^[0-9]+(\.[0-9]+)?(m|k|[KMGTPE]i?)?$",
        "write a Kubernetes quantity without sign or exponent, such as 500m, 8 or 1.5Gi",
        most=32,
    ),
]
"""A Kubernetes quantity without sign or exponent, such as 500m, 8, 1.5Gi."""

LabelValue = Annotated[str, Field(max_length=63)]
Labels = Annotated[dict[str, LabelValue], Field(max_length=64)]
Annotations = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]


class SecretKeyRef(Part):
    """A key of a Secret in the resource's own namespace."""

    name: ObjectName
    """Name of the Secret."""

    key: SecretKey = "token"
    """Key inside it."""
