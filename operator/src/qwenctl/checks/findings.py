"""What a check says of one place."""

from dataclasses import dataclass
from enum import StrEnum

Where = tuple[str | int, ...]


class Severity(StrEnum):
    """Whether applying it would fail."""

    error = "error"
    warning = "warning"


class Origin(StrEnum):
    """Who would say so."""

    yaml = "yaml"
    api_server = "api-server"
    operator = "operator"
    memory = "memory"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        where: path in the document; () for the whole of it.
        message: what is wrong and what is allowed.
        origin: who would refuse it.
        severity: an error is refused, a warning is not.
        blocking: the API server evaluates no rule of the schema beside it.
    """

    where: Where
    message: str
    origin: Origin
    severity: Severity = Severity.error
    blocking: bool = False


def dotted(where: Where) -> str:
    """A path as people write it: spec.triton.env[0].name."""
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in where)
    return text.removeprefix(".")
