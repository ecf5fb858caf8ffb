"""Figures as Grafana writes them, for the units that the dashboards use."""

import math
from typing import Final

_DURATIONS: Final = (
    (86400.0, "d"),
    (3600.0, "h"),
    (60.0, "min"),
    (1.0, "s"),
    (1e-3, "ms"),
    (1e-6, "µs"),
)
_BYTES: Final = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
_THOUSANDS: Final = ((1e9, "B"), (1e6, "M"), (1e3, "K"))
_SUFFIXES: Final = {"reqps": " req/s", "ops": " ops/s", "opm": " /min", "none": "", "short": ""}


def shown(value: float, unit: str) -> str:
    """A value with its unit, in about four characters."""
    match unit:
        case _ if math.isnan(value):
            text = "-"
        case "s":
            text = _scaled(value, _DURATIONS, " s")
        case "bytes":
            text = _scaled(value, _BYTES, " B")
        case "percentunit":
            text = f"{_plain(100 * value)}%"
        case "currencyUSD":
            text = f"${value:.2f}"
        case _:
            text = _counted(value) + _SUFFIXES.get(unit, unit.removeprefix("suffix:"))
    return text


def _counted(value: float) -> str:
    for size, letter in _THOUSANDS:
        if abs(value) >= size:
            return f"{_plain(value / size)}{letter}"
    return _plain(value)


def _scaled(value: float, sizes: tuple[tuple[float, str], ...], zero: str) -> str:
    for size, name in sizes:
        if abs(value) >= size:
            return f"{_plain(value / size)} {name}"
    return f"{_plain(value)}{zero}"


def _plain(value: float) -> str:
    """Three significant digits, and no zeros behind the point."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 3)}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
