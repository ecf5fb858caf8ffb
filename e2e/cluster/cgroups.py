"""The control groups below which everything of the cluster runs, to find and end all of it."""

import contextlib
import os
import signal
import time
from pathlib import Path

NAME = "qwen-operator"
DAEMONS = "daemons"


def parse_hierarchies(mounts: str) -> list[Path]:
    """Mount points of all control group hierarchies, from the text of /proc/self/mounts."""
    rows = [line.split() for line in mounts.splitlines()]
    return [Path(row[1]) for row in rows if row[2] in ("cgroup", "cgroup2")]


def parse_kinds(mounts: str) -> set[str]:
    """Which kinds of hierarchy are mounted."""
    return {line.split()[2] for line in mounts.splitlines()} & {"cgroup", "cgroup2"}


def is_version_1(mounts: str) -> bool:
    """Whether controllers live in hierarchies of the first version."""
    return "cgroup" in parse_kinds(mounts)


def roots() -> list[Path]:
    """Our group's folder in every hierarchy."""
    return [h / NAME for h in parse_hierarchies(Path("/proc/self/mounts").read_text())]


def daemons_group() -> Path:
    """The group that a component enters when it starts; its children stay in it."""
    return next(r for r in roots() if r.parent.name in ("pids", "cgroup")) / DAEMONS


def create() -> None:
    """Make our groups; the kubelet wants its root to exist in every hierarchy."""
    for root in roots():
        root.mkdir(exist_ok=True)
        # A cpuset is born empty and lets no process in.
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (root / name).exists() and not (root / name).read_text().strip():
                with contextlib.suppress(OSError):
                    (root / name).write_text((root.parent / name).read_text())
    daemons_group().mkdir(exist_ok=True)


def processes() -> set[int]:
    """Every process in any of our groups."""
    found: set[int] = set()
    for root in roots():
        for file in root.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found.update(int(line) for line in file.read_text().split())
    return found


def kill_all(seconds: float = 10.0) -> None:
    """Kill whatever still runs in our groups, until nothing does."""
    deadline = time.monotonic() + seconds
    while (left := processes()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def remove() -> None:
    """Remove our groups, children first."""
    for root in roots():
        for folder in sorted((p for p in root.rglob("*") if p.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            root.rmdir()
