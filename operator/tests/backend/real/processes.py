"""What /proc tells of a server's processes."""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STUB = "triton_python_b"
ENGINE = "VLLM::EngineCor"
WORKER = "VLLM::Worker"
# In the command line of a process that Python's multiprocessing has made.
_SPAWNED = b"spawn_main"


def cpu_ticks(pid: int) -> int:
    """CPU time that a process has spent, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that hangs: it lives and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def named(root: int, name: str) -> list[int]:
    """The processes of that name among a process's descendants."""
    family = _family(root)
    return sorted(pid for pid, (_, its) in family.items() if its.startswith(name))


def engines(root: int) -> list[int]:
    """The processes of engine cores below a process.

    vLLM names them since 0.10; before, they are what a stub has made by multiprocessing.
    """
    if found := named(root, ENGINE):
        return found
    stubs = set(named(root, STUB))
    children = (pid for pid, (parent, _) in _family(root).items() if parent in stubs)
    return sorted(pid for pid in children if _SPAWNED in _command(pid))


def listener(pids: Sequence[int], port: int) -> int | None:
    """Which of the processes listens on a port."""
    tables = "\n".join(Path(f"/proc/net/{table}").read_text() for table in ("tcp", "tcp6"))
    (inode,) = {
        row[9]
        for row in (line.split() for line in tables.splitlines())
        if len(row) > 9 and row[1].endswith(f":{port:04X}") and row[3] == "0A"
    }
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(link.readlink()) == f"socket:[{inode}]":
                    return pid
    return None


def _family(root: int) -> dict[int, tuple[int, str]]:
    """A process and its descendants: each one's parent and name."""
    known: dict[int, tuple[int, str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, comm, rest = re.split(r" \(|\) ", stat.read_text(), maxsplit=2)
            known[int(pid)] = int(rest.split()[1]), comm
    wanted = {root}
    while more := {pid for pid, (parent, _) in known.items() if parent in wanted} - wanted:
        wanted |= more
    return {pid: known[pid] for pid in wanted if pid in known}


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
