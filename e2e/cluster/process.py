"""Start, recognise and stop processes by pid and start time, never by name."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# The process writes its own record and enters its control group before it
# becomes the daemon: whoever is killed meanwhile, nothing runs unrecorded.
LAUNCH = (
    'echo "$$ $(cut -d" " -f22 /proc/$$/stat) $(cat /proc/sys/kernel/random/boot_id)" >"$1.new"'
    ' && mv "$1.new" "$1" && echo $$ >"$2" && shift 2 && exec "$@"'
)
STAT_STATE, STAT_START = 0, 19


@dataclass(frozen=True, slots=True)
class Identity:
    """A process as no other can be: pids are used again, start times within a boot are not."""

    pid: int
    start: str
    boot: str


def parse_record(text: str) -> Identity | None:
    """Read a record, None when it is not one."""
    match text.split():
        case [pid, start, boot] if pid.isdigit():
            return Identity(int(pid), start, boot)
    return None


def read_record(path: Path) -> Identity | None:
    """Read a record file, None when there is none."""
    try:
        return parse_record(path.read_text())
    except FileNotFoundError:
        return None


def stat_fields(stat: str) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, which may hold anything."""
    return stat.rpartition(")")[2].split()


def is_alive(identity: Identity | None) -> bool:
    """Whether this very process runs; a zombie does not."""
    if identity is None:
        return False
    try:
        fields = stat_fields(Path(f"/proc/{identity.pid}/stat").read_text())
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return False
    same = fields[STAT_START] == identity.start and boot == identity.boot
    return same and fields[STAT_STATE] not in "ZX"


def launch_argv(argv: Iterable[str], record: Path, group: Path) -> list[str]:
    """The command that records itself and becomes `argv`."""
    return ["/bin/sh", "-c", LAUNCH, "launch", str(record), f"{group}/cgroup.procs", *argv]


def _inherited() -> list[int]:
    """What a child would get besides its standard streams: a lock of our caller's, most likely."""
    found = []
    for name in (each.name for each in Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if int(name) > 2 and os.get_inheritable(int(name)):  # noqa: PLR2004 - standard error
                found.append(int(name))
    return found


def spawn(
    argv: Iterable[str], *, record: Path, group: Path, log: Path, environment: Mapping[str, str]
) -> None:
    """Start a daemon in a session of its own that writes its output to `log`."""
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.posix_spawn(
        "/bin/sh",
        launch_argv(argv, record, group),
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), output, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, each) for each in _inherited()),
        ],
        setsid=True,
    )


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal a process when it still is the one recorded."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(identity.pid)
        try:
            if is_alive(identity):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def stop(identities: Iterable[Identity], grace: float) -> None:
    """End processes together: ask, wait up to `grace` seconds, then kill."""
    left = [each for each in identities if is_alive(each)]
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for each in left:
            send(each, number)
        deadline = time.monotonic() + patience
        while (left := [each for each in left if is_alive(each)]) and time.monotonic() < deadline:
            _reap()
            select.select([], [], [], 0.05)
        if not left:
            return


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
