"""Wakes every two milliseconds on one processor and writes how late: beats.py PROCESSOR FILE.

A line is two moments by the monotonic clock: when a beat was due and when it came. Of those that
came in time one in a while is written, so that a reader sees how far the others can be trusted.
"""

import os
import sys
import time
from pathlib import Path

PERIOD_SECONDS = 0.002
# Later by less is what timers do.
LATE_SECONDS = 0.001
SIGN_SECONDS = 0.05


def beat(processor: int, file: Path) -> None:
    """Until the process that started this one is gone."""
    os.sched_setaffinity(0, {processor})
    parent = os.getppid()
    came = signed = time.monotonic()
    with file.open("w", buffering=1) as out:
        while os.getppid() == parent:
            due = came + PERIOD_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
            came = time.monotonic()
            if came - due > LATE_SECONDS or came - signed > SIGN_SECONDS:
                out.write(f"{due:.6f} {came:.6f}\n")
                signed = came


if __name__ == "__main__":
    beat(int(sys.argv[1]), Path(sys.argv[2]))
