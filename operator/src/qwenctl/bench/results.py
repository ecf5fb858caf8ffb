"""The raw results as a file: what was measured where, one entry a door."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from qwenctl.bench.samples import Figures, Spread

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Results:
    """One run.

    Attributes:
        shape: name of the model's shape.
        engine: engine arguments beside the model.
        tokens: length of each answer.
        machine: what it ran on, in words.
        date: when, ISO 8601.
        doors: figures by door, one a level.
    """

    shape: str
    engine: dict[str, object]
    tokens: int
    machine: str
    date: str
    doors: dict[str, list[Figures]] = field(default_factory=dict)

    def value(self) -> dict[str, Any]:
        """As JSON has it."""
        made: dict[str, Any] = _without_nan(asdict(self))
        return made

    def save(self, path: Path) -> None:
        """Write the file whole."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(self.value(), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)


def _without_nan(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """JSON has no word for what could not be measured but null."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def load(path: Path) -> Results:
    """Read a file that `save` wrote.

    Raises:
        ValueError: it holds something else.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        doors = {
            door: [read_figures(level) for level in levels]
            for door, levels in given["doors"].items()
        }
        return Results(**(given | {"doors": doors}))
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise ValueError(f"{path} is no record of a run: {problem}") from problem


def read_figures(given: dict[str, Any]) -> Figures:
    """Figures from what asdict made of them."""
    spreads = {name: Spread(**_with_nan(given[name])) for name in ("first", "gap")}
    return Figures(**(given | spreads))


def _with_nan(spread: dict[str, Any]) -> dict[str, float]:
    return {key: math.nan if each is None else each for key, each in spread.items()}


def today() -> str:
    """The date, for the record."""
    return datetime.now(UTC).date().isoformat()
