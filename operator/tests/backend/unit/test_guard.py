"""A server whose stub dies is ended; one whose stub ends in good order is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[3] / "src"
STUB = """
import sys
from qwen_triton.guard import Guard
guard = Guard()
guard.start()
print("guarded", flush=True)
sys.stdin.readline()
guard.stop()
print("unguarded", flush=True)
sys.stdin.readline()
"""
SERVER = """
import subprocess, sys
open("/proc/self/comm", "w").write(sys.argv[1])
stub = subprocess.Popen([sys.executable, "-c", sys.argv[2]])
print(stub.pid, flush=True)
stub.wait()
import time
time.sleep(60)
"""


class Pair:
    """A server and its stub."""

    def __init__(self, name: str) -> None:
        words = [sys.executable, "-c", SERVER, name, STUB]
        pipe = subprocess.PIPE
        self.server = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, text=True, env={"PYTHONPATH": str(SOURCE)}
        )
        self.stub = int(self.heard())
        assert self.heard() == "guarded\n"

    def heard(self) -> str:
        assert self.server.stdout is not None
        return self.server.stdout.readline()

    def say(self) -> None:
        assert self.server.stdin is not None
        self.server.stdin.write("\n")
        self.server.stdin.flush()


@contextmanager
def pair(name: str) -> Iterator[Pair]:
    made = Pair(name)
    try:
        yield made
    finally:
        with made.server:
            made.server.kill()


def test_a_server_ends_with_its_stub() -> None:
    with pair("tritonserver") as each:
        os.kill(each.stub, signal.SIGKILL)
        assert each.server.wait(30) == -signal.SIGTERM


@pytest.mark.parametrize("name", ["tritonserver", "pytest"])
def test_nobody_is_ended_who_need_not_be(name: str) -> None:
    with pair(name) as each:
        if name == "tritonserver":
            each.say()
            assert each.heard() == "unguarded\n"
        os.kill(each.stub, signal.SIGKILL)
        # Three looks long.
        time.sleep(0.6)
        assert each.server.poll() is None
