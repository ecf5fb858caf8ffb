"""What came of running and reading the versions of vLLM; docs/compatibility.md is made from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from e2e.compat.versions import RESULTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(slots=True)
class Outcome:
    """Of the tests in one file."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Results:
    """Of every version.

    Attributes:
        run: by version and file, what came of the backend's tests.
        calls: by version, what the wheel lacks of the calls that the backend makes.
        sharing: the same, of those that let instances share an engine.
        metrics: by version, series of the contract that it does not count.
    """

    run: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=dict)
    sharing: dict[str, list[str]] = field(default_factory=dict)
    metrics: dict[str, list[str]] = field(default_factory=dict)

    def save(self, file: Path = RESULTS) -> None:
        """Write them."""
        file.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load(file: Path = RESULTS) -> Results:
    """Read them; empty where there are none yet."""
    if not file.exists():
        return Results()
    given = json.loads(file.read_text(encoding="utf-8"))
    return Results(**given | {"run": {name: _outcomes(of) for name, of in given["run"].items()}})


def _outcomes(given: Mapping[str, Mapping[str, object]]) -> dict[str, Outcome]:
    return {file: Outcome(**each) for file, each in given.items()}  # type: ignore[arg-type]
