"""A small process beside the stub: when the stub is gone, it ends the server.

Triton starts no stub anew and tells nobody that it has lost one: its ports stay open, and whoever
was being answered waits for ever. A probe would end that only after some failures and a period of
grace. Started with a model that has been loaded, stopped before one is unloaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from qwen_triton.failures import TERMINATION_LOG, Failure, Reason, write_termination_message
from qwen_triton.processes import start_time
from qwen_triton.takeover import end_server

if TYPE_CHECKING:
    from collections.abc import Callable

_SERVER = "tritonserver"
_LOOK_SECONDS = 0.2
_STOP_SECONDS = 5.0


class Guard:
    """The process, from the outside."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, complain: Callable[[str], object]) -> None:
        """Watch this process, so that its Triton ends with it; complain where nobody can."""
        try:
            self._start()
        except OSError as error:
            complain(f"nobody will end the server if this process dies: {error}")

    def _start(self) -> None:
        stub, server = os.getpid(), os.getppid()
        if Path(f"/proc/{server}/comm").read_text(encoding="utf-8").strip() != _SERVER:
            return
        words = [sys.executable, "-m", __name__, str(stub), str(server), str(start_time(server))]
        # Where the package lies: the stub's own path is not handed on.
        self._process = subprocess.Popen(words, cwd=Path(__file__).parents[1])

    def stop(self) -> None:
        """Watch no more: this process is about to end in good order."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
            self._process = None


def watch(stub: int, server: int, since: int) -> NoReturn:
    """End a server when its stub is gone.

    Args:
        stub: this process's parent.
        server: the stub's.
        since: when the server was started, so that no other process of its number is meant.
    """
    while os.getppid() == stub:
        time.sleep(_LOOK_SECONDS)
    words = f"the process that served the model has died (pid {stub})"
    if start_time(server) != since:
        sys.exit(0)
    if not TERMINATION_LOG.exists() or not TERMINATION_LOG.read_text(encoding="utf-8"):
        write_termination_message(Failure(Reason.STUB_CRASHED, words), TERMINATION_LOG)
    end_server(server, f"{Reason.STUB_CRASHED}: {words}")


if __name__ == "__main__":
    watch(*map(int, sys.argv[1:]))
