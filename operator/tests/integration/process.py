"""The operator as a real process, started and stopped by tests."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from tests.integration.api import PATIENCE_SECONDS, eventually

SOURCE = Path(__file__).parents[2] / "src"


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def redirected(kubeconfig: Path, copy: Path, server: str) -> None:
    """A kubeconfig that leads elsewhere."""
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"]["server"] = server
    copy.write_text(yaml.safe_dump(config), encoding="utf-8")
    copy.chmod(0o600)


class OperatorProcess:
    """`python -m qwen_operator` for one namespace, its output in a file.

    Attributes:
        made: every one of this session, the latest last.
    """

    made: ClassVar[list["OperatorProcess"]] = []

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self._output = folder / f"operator-{self.port}.log"
        given = {
            "WATCH_NAMESPACES": namespace,
            "PORT": str(self.port),
            "SCRAPE_INTERVAL_SECONDS": "1",
            "SCRAPE_TIMEOUT_SECONDS": "1",
            **settings,
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(SOURCE),
            **{f"QWEN_OPERATOR_{name}": value for name, value in given.items()},
        }
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "qwen_operator"],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.made.append(self)

    @property
    def log(self) -> str:
        """All that it has said."""
        return self._output.read_text(encoding="utf-8")

    def page(self, path: str) -> tuple[int, str]:
        """Status and text of one of its own endpoints; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/{path}", timeout=20
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def wait_until_ready(self) -> "OperatorProcess":
        """Wait for its first listing."""

        def ready() -> bool:
            assert self.process.poll() is None, self.log
            return self.page("readyz")[0] == http_ok

        http_ok = 200
        eventually("the operator is ready", ready)
        return self

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it has not ended within {PATIENCE_SECONDS:.0f} s; it said:\n{self.log}")

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
