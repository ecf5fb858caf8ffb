"""What the server's ports tell: when it has taken the loaded model, and when it begins to end.

It opens them when it takes requests. It closes that of HTTP as soon as it is asked to end, long
before it asks the model to: a model that is answering is not asked until it has done.

While a model loads, Triton looks every second for a sign of life that the stub gives every 300 ms.
On a starved machine one look can miss it; Triton before 25.09 then waits for ever for this process
to end, with no port open, while the model here is loaded and well.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

# From the return of `initialize` to an open port: normally a second.
TAKEOVER_SECONDS = 30.0

NOT_TAKEN = (
    "Triton lost sight of this process while the model loaded and did not take it; the node is"
    " short of CPU"
)
_LAST_SECONDS = 2.0

_LISTENING = "0A"
_STATE, _INODE = 3, 9


class Ports:
    """A server's listening TCP sockets, looked at now and then.

    Which of its files are those takes a look at every socket of the pod; whether they are still
    open then only a look at them.
    """

    def __init__(self, pid: int, proc: Path = Path("/proc")) -> None:
        self._own = proc / str(pid)
        self._seen: dict[Path, str] = {}
        self._settled = False

    def are_open(self) -> bool:
        """Whether it listens on any."""
        return bool(self._listening())

    def has_closed_one(self) -> bool:
        """Whether one that was open at an earlier look is no more."""
        if not self._settled:
            now = self._listening()
            # They open one after another.
            self._settled = bool(now) and now == self._seen
            if not self._settled and not self._seen.keys() - now.keys():
                self._seen = now
                return False
        return any(_target(file) != target for file, target in self._seen.items())

    def _listening(self) -> dict[Path, str]:
        try:
            files = list((self._own / "fd").iterdir())
            listening = {f"socket:[{inode}]" for inode in _listening_sockets(self._own / "net")}
        except OSError:
            return {}
        return {file: target for file in files if (target := _target(file)) in listening}


def _listening_sockets(net: Path) -> set[str]:
    found: set[str] = set()
    for table in (net / "tcp", net / "tcp6"):
        if table.exists():
            rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
            found |= {row[_INODE] for row in rows if row[_STATE] == _LISTENING}
    return found


def _target(file: Path) -> str:
    """What an open file is; nothing where it is closed."""
    try:
        return str(file.readlink())
    except OSError:
        return ""


def end_server(pid: int, words: str) -> NoReturn:
    """End a server that waits for ever, so that kubelet starts another.

    Not through Triton's log: its thread would wait for this process's answer, and the server for
    the thread. While it loads it has no handler for SIGTERM yet, so the signal ends it at once.
    """
    sys.stderr.write(f"{words}\n")
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except OSError:
            break
        time.sleep(_LAST_SECONDS)
    # Where the server is PID 1 no signal reaches it: the end of this process does.
    os._exit(1)
