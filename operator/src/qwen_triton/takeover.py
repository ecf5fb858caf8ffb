"""Whether the server has taken the loaded model: it opens its ports only then.

While a model loads, Triton looks every second for a sign of life that the stub gives every 300 ms.
On a starved machine one look can miss it; Triton before 25.09 then waits for ever for this process
to end, with no port open, while the model here is loaded and well.
"""

from __future__ import annotations

import os
import re
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


def is_listening(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process listens on a TCP port."""
    own = proc / str(pid)
    return bool(_listening_sockets(own / "net") & _sockets(own / "fd"))


def _listening_sockets(net: Path) -> set[str]:
    found: set[str] = set()
    for table in (net / "tcp", net / "tcp6"):
        if table.exists():
            rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
            found |= {row[_INODE] for row in rows if row[_STATE] == _LISTENING}
    return found


def _sockets(folder: Path) -> set[str]:
    found: set[str] = set()
    for link in folder.iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue  # closed since it was listed
        if match := re.fullmatch(r"socket:\[(\d+)\]", target):
            found.add(match[1])
    return found


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
