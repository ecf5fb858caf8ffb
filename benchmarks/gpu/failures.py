"""Provokes on a GPU what goes wrong there, through Triton and our backend; keeps what it said."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.serving.shapes import write_shape
from e2e.triton.container import stop
from e2e.triton.flags import FLAGS
from e2e.triton.repository import ROOT, write_repository
from qwen_operator.fit.shapes import named
from qwenctl.bench import load
from qwenctl.bench.load import Level, Protocol, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qwenctl.bench.samples import Sample

CASES = Path(__file__).with_name("failures.yaml")
MODEL = "failing"
_FIRST_PORT, _PORTS_EACH = 19000, 10
_START_SECONDS = 150
_END_SECONDS = 40
_POLL_SECONDS = 0.5
_REST_GIB = 0.3
_LONG_PROMPT = "long " * 9_000  # 27,000 tokens of the benchmark's tokenizer


@dataclass(frozen=True, slots=True)
class Started:
    """A Triton of one case: its process, its first port, and where its output goes."""

    case: dict[str, Any]
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def is_ready(self) -> bool:
        """It serves the model."""
        try:
            with urllib.request.urlopen(self._url("v2/health/ready"), timeout=2):  # noqa: S310
                return True
        except (urllib.error.URLError, OSError):
            return False

    def settle(self) -> None:
        """Wait until it serves, has ended, or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline and not self.is_ready():
            time.sleep(_POLL_SECONDS)

    def ask(self, prompt: str) -> str:
        """Status and answer of one request, shortened."""
        body = {"text_input": prompt, "sampling_parameters": '{"max_tokens": 64}'}
        request = urllib.request.Request(  # noqa: S310  our own loopback
            self._url(f"v2/models/{MODEL}/generate"), json.dumps(body).encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return f"{answer.status} {answer.read(200)!r}"
        except urllib.error.HTTPError as refusal:
            return f"{refusal.code} {refusal.read(400)!r}"
        except OSError as problem:
            return f"{type(problem).__name__}: {problem}"

    def health(self) -> str:
        """What /health of the backend says."""
        try:
            url = f"http://127.0.0.1:{self.port + 3}/health"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as refusal:
            return f"{refusal.code} {refusal.read(300)!r}"
        except OSError as problem:
            return f"{type(problem).__name__}: {problem}"

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"


def provoke(into: Path, only: Sequence[str]) -> None:
    """Provoke all cases, or some; into gets a log of each, and notes.txt on what clients saw.

    Those that need nothing start at once; then those that find the GPU taken; then come the blows.
    """
    into.mkdir(parents=True, exist_ok=True)
    given = [
        {**each, "port": _FIRST_PORT + at * _PORTS_EACH}
        for at, each in enumerate(yaml.safe_load(CASES.read_text(encoding="utf-8")))
        if not only or each["name"] in only
    ]
    plain = [each for each in given if "hog" not in each]
    crowded = [each for each in given if "hog" in each]
    with (into / "notes.txt").open("w", encoding="utf-8") as notes, ExitStack() as kept:

        def note(case: str, what: str) -> None:
            print(f"{case}: {what}", flush=True)
            notes.write(f"{case}: {what}\n")
            notes.flush()

        servers = [kept.enter_context(_triton(each, into)) for each in plain]
        _settle(servers, note)
        if crowded:
            with _hog(min(each["hog"] for each in crowded)) as taken, ExitStack() as stack:
                note("hog", taken)
                _settle([stack.enter_context(_triton(each, into)) for each in crowded], note)
        for server in servers:
            if "then" in server.case and server.process.poll() is None:
                {"hog": _starve, "kill": _kill}[server.case["then"]](server, note)


def _settle(servers: Sequence[Started], note: Any) -> None:  # noqa: ANN401
    with ThreadPoolExecutor(max(1, len(servers))) as pool:
        list(pool.map(Started.settle, servers))
    for server in servers:
        status = server.process.poll()
        ended = "serves" if server.is_ready() else "neither serves nor has ended"
        note(server.case["name"], ended if status is None else f"ended with {status}")


@contextmanager
def _triton(case: dict[str, Any], into: Path) -> Iterator[Started]:
    with tempfile.TemporaryDirectory(prefix="gpu-failures-") as name:
        folder, port = Path(name), int(case["port"])
        write_shape(named(case["model"]), folder / "weights")
        engine = {"model": str(folder / "weights"), "load_format": "dummy", **case["engine"]}
        write_repository(folder / "models", MODEL, engine, {"health_port": str(port + 3)})
        command = [
            *shlex.split(os.environ.get("QWEN_TRITON_COMMAND", "tritonserver")),
            f"--model-repository={folder / 'models'}",
            *FLAGS,
            f"--load-model={MODEL}",
            f"--http-port={port}",
            f"--grpc-port={port + 1}",
            f"--metrics-port={port + 2}",
        ]
        log = into / f"{case['name']}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
        try:
            yield Started(case, process, port, log)
        finally:
            stop(process)


@contextmanager
def _hog(leave_gib: float) -> Iterator[str]:
    words = [sys.executable, "-m", "benchmarks.gpu.hog", str(leave_gib)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as process:
        told = process.stdout
        try:
            yield told.readline().decode().strip() if told else ""
        finally:
            process.kill()


def _starve(server: Started, note: Any) -> None:  # noqa: ANN401
    """Take the rest of the GPU, ask with long prompts, give it back, ask again."""
    name = server.case["name"]
    note(name, f"before: {server.ask('hello')}")
    with _hog(_REST_GIB) as taken:
        note(name, taken)
        with ThreadPoolExecutor(4) as pool:
            for answer in pool.map(server.ask, [f"{at} {_LONG_PROMPT}" for at in range(4)]):
                note(name, f"long prompt: {answer}")
        note(name, f"health: {server.health()}")
        _watch_end(server, note)
    if server.process.poll() is None:
        note(name, f"afterwards: {server.ask('hello')}")


def _kill(server: Started, note: Any) -> None:  # noqa: ANN401
    """Kill the engine's process while eight answers are under way."""
    name = server.case["name"]
    target = Target(Protocol.GENERATE, (server.port,), MODEL)
    samples: list[Sample] = []
    asking = threading.Thread(
        target=lambda: samples.extend(load.run(target, Level(8, 1, 2000))), daemon=True
    )
    asking.start()
    time.sleep(5)
    engine = _engine_of(server.process.pid)
    os.kill(engine, signal.SIGKILL)
    killed = time.monotonic()
    while server.health() == "200" and time.monotonic() - killed < _END_SECONDS:
        time.sleep(0.05)
    note(name, f"{time.monotonic() - killed:.2f} s after the kill /health said {server.health()}")
    _watch_end(server, note)
    note(name, f"the server had ended {time.monotonic() - killed:.2f} s after the kill")
    asking.join(_END_SECONDS)
    for error in sorted({sample.error for sample in samples}):
        note(name, f"a client saw {error!r}")


def _watch_end(server: Started, note: Any) -> None:  # noqa: ANN401
    try:
        server.process.wait(_END_SECONDS)
        note(server.case["name"], f"ended with {server.process.returncode}")
    except subprocess.TimeoutExpired:
        note(server.case["name"], f"still there after {_END_SECONDS} s")


def _engine_of(root: int) -> int:
    """The engine's process among the descendants of another.

    Raises:
        ProcessLookupError: there is none.
    """
    family, grown = {root}, True
    while grown:
        rows = [
            (int(path.parent.name), path.read_text().rpartition(")")[2].split())
            for path in Path("/proc").glob("[0-9]*/stat")
        ]
        found = {pid for pid, fields in rows if int(fields[1]) in family}
        grown, family = not found <= family, family | found
    for pid in family:
        if Path(f"/proc/{pid}/comm").read_text().startswith("VLLM::EngineCor"):
            return pid
    raise ProcessLookupError(f"no engine below process {root}")
