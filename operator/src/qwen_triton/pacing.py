"""How often an answer's news is sent: each token by itself where that costs no tokens, else merged.

A response is dear: 95 us of this process and 65 of the server's, measured on a machine with an H200
(docs/performance.md). While the engine waits for its GPU that work is free; where the engine itself
keeps a processor busy, or there are few processors, it is paid for in tokens.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# A tenth of a processor in both processes, so that the loop that makes the tokens keeps its share,
# and the interpreter's lock. Two streams still get each token of a quick GPU by itself.
SENDS_PER_SECOND = 1500.0
# Where there are processors: a twentieth of each, in both processes.
SENDS_PER_PROCESSOR = 300.0
# Pieces that come faster than this read no smoother.
LONGEST_PACE_SECONDS = 0.04

_SEND_SECONDS = 100e-6
# What a step takes of the engine's own processor: a small model's step is little more than that.
_OWN_SECONDS = 1.5e-3
_FREE_SHARE = 0.6
# News that is further apart comes after a pause.
_PAUSE_SECONDS = 0.25
_WEIGHT = 0.05
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def processors(quota: Path = _QUOTA) -> float:
    """How many processors this process may use: a container's limit, or those that are there."""
    there = float(len(os.sched_getaffinity(0)))
    with suppress(OSError, ValueError):
        most, period = quota.read_text().split()
        there = min(there, int(most) / int(period))
    return there


class Pacing:
    """Says how far apart the turns of one sender are.

    Args:
        processors: that server, engine and sender share.
    """

    def __init__(self, processors: float) -> None:
        self._most = max(SENDS_PER_SECOND, SENDS_PER_PROCESSOR * processors)
        self._heard = 0.0
        self._step = 0.0

    def heard(self, now: float) -> None:
        """The engine has made a step, and said something: at a time in seconds."""
        step, self._heard = now - self._heard, now
        if step < _PAUSE_SECONDS:
            # A prompt makes one step long, not those after it.
            usual = min(step, 2 * self._step) if self._step else step
            self._step += _WEIGHT * (usual - self._step)

    def between(self, streams: int) -> float:
        """Seconds from one turn to the next while so many streams are being answered."""
        is_free = streams * _SEND_SECONDS <= _FREE_SHARE * (self._step - _OWN_SECONDS)
        return min(LONGEST_PACE_SECONDS, streams / (self._most if is_free else SENDS_PER_SECOND))
