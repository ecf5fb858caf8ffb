"""CPU time of a server's processes, by what they are."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TICK = os.sysconf("SC_CLK_TCK")
_STATE_TO_PARENT, _USER, _SYSTEM = 1, 11, 12
_KINDS = {
    "tritonserver": "tritonserver",
    "triton_python_b": "stub",
    "VLLM::EngineCor": "engine",
    "VLLM::Worker": "engine",
}


def cpu_seconds(root: int) -> dict[str, float]:
    """CPU seconds spent so far by a process and its living descendants, by kind.

    A process that is none of the known is its server's own ("server").
    """
    rows: dict[int, tuple[int, str, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, tail = stat.read_text().rpartition(")")
            number, _, name = head.partition(" (")
            fields = tail.split()
            spent = (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK
            rows[int(number)] = int(fields[_STATE_TO_PARENT]), name, spent
    family = {root}
    while more := {pid for pid, row in rows.items() if row[0] in family} - family:
        family |= more
    spent_by: dict[str, float] = {}
    for pid in family & rows.keys():
        _, name, spent = rows[pid]
        kind = _KINDS.get(name, "server")
        spent_by[kind] = spent_by.get(kind, 0.0) + spent
    return spent_by


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What was spent between two looks."""
    return {kind: spent - before.get(kind, 0.0) for kind, spent in after.items()}
