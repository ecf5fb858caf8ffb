"""A server that waits for ever is ended from outside, whatever it does with SIGTERM."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "src"
ENDING = (
    "import sys; from qwen_triton.takeover import end_server; end_server(int(sys.argv[1]), 'no')"
)


@pytest.mark.parametrize(
    ("manner", "ended_by"),
    [
        ("import time; print(flush=True); time.sleep(60)", signal.SIGTERM),
        (
            (
                "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
                " print(flush=True); time.sleep(60)"
            ),
            signal.SIGKILL,
        ),
    ],
    ids=["without a handler", "deaf to SIGTERM"],
)
def test_a_server_that_does_not_take_the_model_is_ended(manner: str, ended_by: int) -> None:
    server = subprocess.Popen([sys.executable, "-c", manner], stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    done = subprocess.run(
        [sys.executable, "-c", ENDING, str(server.pid)],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert server.wait(5) == -ended_by
    server.stdout.close()
    assert done.returncode == 1
    assert done.stderr == "no\n"
