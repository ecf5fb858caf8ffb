"""What the resource's types share: frozen, camelCase on the wire, described by docstrings."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

RULES_KEY = "x-kubernetes-validations"


def rule(expression: str, message: str, field: str | None = None) -> dict[str, JsonValue]:
    """One CEL rule of the schema; `field` is where the API server reports it, e.g. '.maxSurge'."""
    made: dict[str, JsonValue] = {"rule": expression, "message": message}
    return made if field is None else {**made, "fieldPath": field, "reason": "FieldValueInvalid"}


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


SecretKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
ObjectName = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
Quantity = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|[KMGTPE]i?)?$")
]
"""A Kubernetes quantity without sign or exponent, such as 500m, 8, 1.5Gi."""


class SecretKeyRef(Part):
    """A key of a Secret in the resource's own namespace."""

    name: ObjectName
    """Name of the Secret."""

    key: SecretKey = "token"
    """Key inside it."""
