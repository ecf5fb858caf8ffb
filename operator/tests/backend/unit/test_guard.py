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

from qwen_triton.processes import start_time

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[3] / "src"
STUB = """
import sys
from qwen_triton.guard import Guard
guard = Guard()
sys.executable = sys.argv[1]
guard.start(lambda words: print(words, flush=True))
print("guarded", flush=True)
sys.stdin.readline()
guard.stop()
print("unguarded", flush=True)
sys.stdin.readline()
"""
SERVER = """
import subprocess, sys
open("/proc/self/comm", "w").write(sys.argv[1])
stub = subprocess.Popen([sys.executable, "-c", *sys.argv[2:]])
print(stub.pid, flush=True)
stub.wait()
import time
time.sleep(60)
"""

# Where a signal cannot be given, nothing is waited for: a wait would print.
END = """
import sys, time
from qwen_triton.takeover import end_server
time.sleep = lambda seconds: print(seconds, flush=True)
end_server(int(sys.argv[1]), "no more")
"""


class Pair:
    """A server and its stub; what the stub says of its guard is said first.

    Args:
        name: the server's.
        python: what a guard is started with.
    """

    def __init__(self, name: str, python: str = sys.executable) -> None:
        words = [sys.executable, "-c", SERVER, name, STUB, python]
        pipe = subprocess.PIPE
        self.server = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, text=True, env={"PYTHONPATH": str(SOURCE)}
        )

    def wait_until_guarded(self) -> None:
        self.stub = int(self.heard())
        self.complaints = list(iter(self.heard, "guarded\n"))

    def heard(self) -> str:
        assert self.server.stdout is not None
        line = self.server.stdout.readline()
        assert line, "it has ended"
        return line

    def say(self) -> None:
        assert self.server.stdin is not None
        self.server.stdin.write("\n")
        self.server.stdin.flush()


@contextmanager
def pair(*words: str) -> Iterator[Pair]:
    made = Pair(*words)
    with made.server:
        try:
            made.wait_until_guarded()
            yield made
        finally:
            made.server.kill()


def test_a_server_ends_with_its_stub() -> None:
    with pair("tritonserver") as each:
        assert each.complaints == []
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


def test_a_stub_that_nobody_can_guard_says_so_and_serves() -> None:
    with pair("tritonserver", "/nowhere/python3") as each:
        (complaint,) = each.complaints
        assert complaint.startswith("nobody will end the server if this process dies: ")
        assert "/nowhere/python3" in complaint
        each.say()
        assert each.heard() == "unguarded\n"
        assert each.server.poll() is None


@pytest.mark.parametrize("is_meant", [True, False])
def test_of_a_server_that_is_gone_too_nobody_is_ended_who_has_its_number(
    is_meant: bool,  # noqa: FBT001 - a case
) -> None:
    with subprocess.Popen(["sleep", "60"]) as somebody:
        since = start_time(somebody.pid) + (0 if is_meant else 1)
        # A stub that is not its parent has died; nothing has the number 0.
        words = [sys.executable, "-m", "qwen_triton.guard", "0", str(somebody.pid), str(since)]
        guard = subprocess.run(
            words, env={"PYTHONPATH": str(SOURCE)}, stderr=subprocess.PIPE, text=True, check=False
        )
        ended = somebody.poll()
        somebody.kill()
    assert (ended == -signal.SIGTERM, "StubCrashed: " in guard.stderr) == (is_meant, is_meant)
    assert guard.returncode == is_meant


def test_a_guard_whose_server_ends_meanwhile_waits_for_nobody() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    words = [sys.executable, "-c", END, str(gone.pid)]
    done = subprocess.run(
        words, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no more\n")
