"""The operator as a process of its own, and what the kernel says of it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from e2e.bench_scale.costs import cpu_seconds

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.1
_OK = 200


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OperatorProcess:
    """`python -m qwen_operator` with the settings that it ships with.

    Attributes:
        started: when it was started, unix seconds.
    """

    def __init__(self, kubeconfig: Path, log: Path) -> None:
        self._port = _free_port()
        self._log = log
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(log.parent),
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(ROOT / "operator" / "src"),
            "QWEN_OPERATOR_PORT": str(self._port),
        }
        self.started = time.time()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "qwen_operator"),
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _get(self, path: str) -> tuple[int, str]:
        try:
            url = f"http://127.0.0.1:{self._port}/{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, ""
        except OSError:
            return 0, ""

    async def metrics(self) -> dict[str, float]:
        """Its own meters: name with labels → value; empty while it does not answer."""
        _, text = await asyncio.to_thread(self._get, "metrics")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    async def wait_until_ready(self) -> None:
        """Wait for its first listing.

        Raises:
            RuntimeError: it ended, or takes too long; its last words are in the text.
        """
        deadline = time.monotonic() + _START_SECONDS
        while (await asyncio.to_thread(self._get, "readyz"))[0] != _OK:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the operator is not ready: {self._log.read_text()[-2000:]}")
            await asyncio.sleep(_POLL_SECONDS)

    def cpu_seconds(self) -> float:
        """User and system time that it has used so far."""
        return cpu_seconds(self.pid)

    def memory(self, field: str = "VmRSS") -> float:
        """A line of its /proc status in MB (10^6 bytes): VmRSS now, VmHWM at most."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError(f"the operator has ended: {self._log.read_text()[-2000:]}")

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help in time."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self._process.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
