"""What /proc says of a process."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")
# Behind the name: the state is the third field of the line, the start time the twenty-second.
_STATE, _START_TIME = 0, 19


def is_process_alive(pid: int, proc: Path = _PROC) -> bool:
    """Whether a process exists and is no zombie that nobody has reaped yet."""
    fields = _fields(pid, proc)
    return bool(fields) and fields[_STATE] not in "ZX"


def start_time(pid: int, proc: Path = _PROC) -> int:
    """When a process was started, in clock ticks since the machine's start; 0 if it is gone."""
    fields = _fields(pid, proc)
    return int(fields[_START_TIME]) if fields else 0


def _fields(pid: int, proc: Path) -> list[str]:
    try:
        line = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    # The name may hold spaces and brackets: the fields follow the last closing one.
    return line.rpartition(")")[2].split()
