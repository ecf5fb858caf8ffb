"""Debian's Prometheus and promtool: installed when missing, run beside what is scraped."""

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster.machine import install_packages

_START_SECONDS = 30
PACKAGES = {"prometheus": "prometheus", "promtool": "prometheus"}


class PrometheusError(Exception):
    """Prometheus or promtool refused; the text is what it said."""


def install() -> None:
    """Make sure that both programs are here, without starting Debian's service."""
    install_packages(print, PACKAGES)


def promtool(*arguments: str, folder: Path | None = None) -> str:
    """Run promtool and return what it printed.

    Raises:
        PrometheusError: it ended with another status than 0.
    """
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, cwd=folder, check=False
    )
    if done.returncode:
        raise PrometheusError(f"promtool {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    def ask(self, path: str, **parameters: str | float) -> Any:  # noqa: ANN401 - any JSON
        """GET below /api/v1; the answer's data.

        Raises:
            PrometheusError: it refused, with its words.
        """
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(  # noqa: S310 - an http URL of our own server
                f"{self.url}/api/v1/{path}?{query}", timeout=30
            ) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                words = refusal.read().decode(errors="replace")
            raise PrometheusError(f"{path} {parameters}: {words}") from refusal

    def query(self, expression: str, moment: float | None = None) -> list[dict[str, Any]]:
        """The instant vector of an expression, now or then; a scalar as a vector of one."""
        when = {} if moment is None else {"time": moment}
        data = self.ask("query", query=expression, **when)
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        found: list[dict[str, Any]] = data["result"]
        return found

    def query_range(self, expression: str, span: tuple[float, float], step: float) -> Any:  # noqa: ANN401 - as above
        """The matrix of an expression over a span of unix seconds."""
        start, end = span
        return self.ask("query_range", query=expression, start=start, end=end, step=step)["result"]


@contextlib.contextmanager
def running(
    configuration: Path, data: Path, port: int, *options: str, program: str = "prometheus"
) -> Iterator[Prometheus]:
    """A Prometheus on loopback while the context lasts.

    Args:
        configuration: prometheus.yml; its relative paths are below its folder.
        data: where it keeps its blocks; its log is `log` beside it.
        port: to listen on.
        options: further flags.
        program: another Prometheus than Debian's.

    Raises:
        PrometheusError: it ended, or was not ready in time, with the end of its log.
    """
    log = data.with_name("prometheus.log")
    command = [
        program,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        *options,
    ]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_ready(process, url, log)
            yield Prometheus(url)
        finally:
            process.terminate()


def _wait_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=2):  # noqa: S310 - as above
            return
        time.sleep(0.1)
    raise PrometheusError(f"prometheus is not ready:\n{log.read_text(errors='replace')[-2000:]}")
