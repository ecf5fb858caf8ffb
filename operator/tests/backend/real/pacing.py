"""An engine that takes its time, what it tells of its steps, and what the machine took for itself.

A deadline of the product is met or missed by its own doing; on a machine that is short of
processors every process waits for its turn besides. So beats go on beside a test, one on each
processor, and a late one says how long a process that was due had to wait there. What is held
against a deadline is the time without what the beats have lost of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.backend.real.beats import LATE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.backend.real.server import Triton

WORKER = Path(__file__).with_name("paced_worker.py")
WORKER_CLASS = "paced_worker.PacedWorker"
STEP_SECONDS = "QWEN_TEST_STEP_SECONDS"

_BEATS = Path(__file__).with_name("beats.py")
_STEP = re.compile(r"^step (\d+\.\d+) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the engine: when it began, by the monotonic clock, and for which requests."""

    at: float
    requests: frozenset[str]


def steps(triton: Triton, since: float = 0.0) -> list[Step]:
    """The steps that a paced engine has begun."""
    found = _STEP.findall(triton.log_text())
    made = [Step(float(at), frozenset(names.split())) for at, names in found]
    return [step for step in made if step.at >= since]


@dataclass(frozen=True, slots=True)
class Beats:
    """What the beats write."""

    files: tuple[Path, ...]

    def lost(self, start: float, end: float) -> float:
        """For how many seconds between two moments processes that were due had to wait, at most."""
        return sum(self._lost(file, start, end) for file in self.files)

    def _lost(self, file: Path, start: float, end: float) -> float:
        lost, known = 0.0, 0.0
        while known < end:
            moments = [tuple(map(float, line.split())) for line in file.read_text().splitlines()]
            late = [(due, came) for due, came in moments if came - due > LATE_SECONDS]
            lost = sum(max(0.0, min(came, end) - max(due, start)) for due, came in late)
            known = moments[-1][1] if moments else 0.0
            time.sleep(0.01)
        return lost


@contextmanager
def beats(folder: Path) -> Iterator[Beats]:
    """Beats on each processor that this process may use."""
    processors = sorted(os.sched_getaffinity(0))
    files = tuple(folder / f"beats-{each}" for each in processors)
    for file in files:
        file.touch()
    started = [
        subprocess.Popen([sys.executable, "-I", _BEATS, str(processor), file])
        for processor, file in zip(processors, files, strict=True)
    ]
    try:
        yield Beats(files)
    finally:
        for each in started:
            each.kill()
            each.wait()
