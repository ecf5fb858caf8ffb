"""Kubernetes quantities: what 500m, 1.5Gi or 1e3 amount to."""

import re
from decimal import Decimal

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = "KMGTPE"
_MEBI = 1024**2


def amount(text: str) -> Decimal | None:
    """What a Kubernetes quantity amounts to; None where it is none."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix.endswith("i"):
        return number * Decimal(1024) ** (_BINARY.index(suffix[0]) + 1)
    power = _DECIMAL.get(suffix)
    return number.scaleb(int(suffix[1:]) if power is None else power)


def mebibytes(size: int) -> str:
    """Bytes as a quantity in whole Mi, rounded down."""
    return f"{size // _MEBI}Mi"
