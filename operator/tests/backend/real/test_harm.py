"""Every process of a server hangs or is killed under load, and what is told of it meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from qwen_triton.symptoms import diagnose, telling
from tests.backend.real.load import streams
from tests.backend.real.pacing import beats
from tests.backend.real.processes import stopped
from tests.backend.real.recipes import UNHURRIED
from tests.backend.real.server import Triton, until, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.triton

TOLD_SECONDS = 5.0
TOKENS = 300
# Longer than anybody looks.
ENDLESS = 1900

PROCESSES: dict[str, Callable[[Triton], int]] = {
    "the engine": lambda triton: triton.engine,
    "the worker": lambda triton: triton.worker,
    "the stub": lambda triton: triton.listener_of(triton.health_port),
    "tritonserver": lambda triton: triton.pid_of("tritonserver"),
}
ENGINES = {"the engine", "the worker"}
# The kubelet, of a log, where no message was written.
LOG_TAKEN = 2048
SILENT = "the engine has not answered for"


def reason(triton: Triton) -> str:
    """Why it is not well, as /health says it; nothing where it is, or where nobody answers."""
    status, body = triton.health()
    return body["reason"] if status == 503 and "reason" in body else ""


@pytest.mark.parametrize("name", PROCESSES)
def test_what_hangs_under_load_is_unhealthy_and_every_answer_goes_on_after_it(
    paced: Triton, name: str
) -> None:
    running = streams(paced, TOKENS)
    with stopped(PROCESSES[name](paced)):
        if name in ENGINES:
            until(lambda: SILENT in reason(paced), 60, f"/health notices that {name} hangs")
        else:
            # No probe is answered: Triton's calls hold the stub's interpreter meanwhile.
            until(lambda: paced.health()[0] == 0, 60, f"/health is silent while {name} hangs")
    until(lambda: paced.health()[0] == 200, 60, f"/health notices that {name} goes on")
    for stream in running:
        assert stream.ended.wait(120)
        assert stream.errors == []
        assert stream.tokens == TOKENS
        stream.close()


def told_by(log: str) -> str | None:
    """What the operator reads out of the end of a log."""
    found = diagnose(telling(log.splitlines()))
    return found.reason if found else None


class Watch:
    """Looks at one thing until it is so, and notes when."""

    def __init__(self, is_so: Callable[[], bool]) -> None:
        self.seen_at: float | None = None
        self._is_so = is_so
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def result(self) -> float | None:
        """When it was seen; None where it was not by now. It looks no more."""
        self._ends.set()
        self._thread.join()
        return self.seen_at

    def _look(self) -> None:
        while self.seen_at is None and not self._ends.wait(0.02):
            if self._is_so():
                self.seen_at = time.monotonic()


@pytest.mark.server(UNHURRIED)
@pytest.mark.parametrize("name", PROCESSES)
def test_what_is_killed_under_load_is_told_within_five_seconds_and_ends_the_server(
    server: Triton, tmp_path: Path, name: str
) -> None:
    wait_until_ready(server)
    running = streams(server, ENDLESS)
    with beats(tmp_path) as machine:
        pid = PROCESSES[name](server)
        # Both are said for two seconds at least: each has a look of its own.
        dead = Watch(lambda: "EngineDead" in reason(server))
        gauge = Watch(lambda: server.series().get("qwen_engine_up") == 0)
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        unwell = Watch(lambda: server.health()[0] != 200)
        for stream in running:
            assert stream.ended.wait(60), f"a stream goes on without {name}"
        errors = ["; ".join(stream.errors) for stream in running]
        for stream in running:
            stream.close()
        until(lambda: server.process.poll() is not None, 60, "the server ends")
        told, said, shown = (watch.result() for watch in (unwell, dead, gauge))
        assert told is not None
        assert told - killed < TOLD_SECONDS + machine.lost(killed, told)
    assert all(errors)
    if name in ENGINES:
        assert all("the engine has died" in error for error in errors)
        assert said is not None
        assert shown is not None
    if server.has_termination_log and name != "tritonserver":
        told_of = "EngineDead" if name in ENGINES else "StubCrashed"
        # Triton may abort before the guard can write: then the kubelet takes the log.
        written = server.failure().get("reason")
        assert (written or told_by(server.log_text()[-LOG_TAKEN:])) == told_of
