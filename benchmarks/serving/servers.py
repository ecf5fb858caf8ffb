"""Starts what is measured: our Triton and vLLM's own server, on this machine or from the image."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.triton.container import Command, container, stop
from e2e.triton.flags import FLAGS
from e2e.triton.repository import ROOT, write_repository
from qwenctl.bench.load import Protocol, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MODEL = "bench"
SYNTHETIC = Path("benchmarks/serving/synthetic/synthetic_worker.py")
START_SECONDS = 420
_LOOK_SECONDS = 0.5
FIRST_PORT = 18000
_PORTS_EACH, _VLLM = 10, 4

Engine = dict[str, object]


class NotStarted(RuntimeError):
    """A server ended, or took too long, before it answered; its last lines follow."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process, and its doors by name."""

    pid: int
    doors: Mapping[str, Target]


@dataclass(frozen=True, slots=True)
class Variant:
    """One of our Tritons.

    Attributes:
        instances: of the model, on one engine.
        sends: responses a second and instance, instead of those of qwen_triton/pacing.py.
        number: among those that are there at once.
    """

    instances: int = 1
    sends: int | None = None
    number: int = 0

    @property
    def name(self) -> str:
        """What tells it from the others, where there is something to tell."""
        told = f" x{self.instances}" if self.instances > 1 else ""
        return told + (f" @{self.sends}" if self.sends else "")


@dataclass(frozen=True, slots=True)
class Place:
    """Where servers run.

    Attributes:
        folder: for model repository, weights, logs.
        from_image: in containers of the CPU image, or with what this machine has: then
            QWEN_TRITON_COMMAND holds tritonserver's command line.
        environment: what every server is told beside the usual.
        first_port: of those that servers listen on.
    """

    folder: Path
    from_image: bool
    environment: Mapping[str, str]
    first_port: int = FIRST_PORT

    def model_path(self) -> str:
        """The model's folder as a server sees it."""
        return "/weights" if self.from_image else str(self.folder / "weights")

    @contextmanager
    def running(self, name: str, words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        """A process of this place; stopped at the end."""
        log = self.folder / f"{name}.log"
        environment = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", **self.environment}
        if not self.from_image:
            environment["PYTHONPATH"] = f"{ROOT}:{ROOT}/operator/src:{ROOT / SYNTHETIC.parent}"
            with log.open("wb") as out:
                process = subprocess.Popen(
                    words, stdout=out, stderr=out, env={**os.environ, **environment}, cwd=ROOT
                )
            try:
                yield process
            finally:
                stop(process)
            return
        home = {"HOME": "/tmp", "VLLM_CPU_KVCACHE_SPACE": "1"}  # noqa: S108  the writable place
        reads = {"/weights": self.folder / "weights", "/repository": ROOT}
        if (self.folder / "models").exists():
            reads["/models"] = self.folder / "models"
        bundle = self.folder / name
        bundle.mkdir(exist_ok=True)
        writes = {"/results": self.folder / "results"}
        seen = f"/repository:/repository/operator/src:/repository/{SYNTHETIC.parent}"
        command = Command(words, environment | home | {"PYTHONPATH": seen}, reads, writes)
        with container(bundle, command, log) as process:
            yield process

    def python(self) -> str:
        """The Python that has vLLM."""
        return "python3" if self.from_image else sys.executable


@contextmanager
def triton(place: Place, engine: Engine, variant: Variant) -> Iterator[Server]:
    """Our backend in Triton, with all its doors open.

    Raises:
        NotStarted: with the end of its log.
    """
    name = f"triton-{variant.number}"
    http, grpc, metrics, door = range(
        first := place.first_port + variant.number * _PORTS_EACH, first + 4
    )
    models = place.folder / "models" / name
    arguments = {"model": place.model_path(), **engine}
    write_repository(
        models, MODEL, arguments, {"health_port": str(door)}, instances=variant.instances
    )
    if variant.sends is not None:
        _set_pace(models / MODEL / "1/qwen_triton/pacing.py", variant.sends)
    if "worker_cls" in engine:
        # Triton's stub knows no PYTHONPATH, but the model's own folder.
        shutil.copy(ROOT / SYNTHETIC, models / MODEL / "1")
    server = (
        ["tritonserver"]
        if place.from_image
        else shlex.split(os.environ.get("QWEN_TRITON_COMMAND", "tritonserver"))
    )
    flags = [
        f"--model-repository={f'/models/{name}' if place.from_image else models}",
        *FLAGS,
        f"--load-model={MODEL}",
        f"--http-port={http}",
        f"--grpc-port={grpc}",
        f"--metrics-port={metrics}",
    ]
    _check_free(http)
    with place.running(name, [*server, *flags]) as process:
        _wait(process, f"http://127.0.0.1:{http}/v2/health/ready", place.folder / f"{name}.log")
        yield Server(
            process.pid,
            {
                "Triton HTTP": Target(Protocol.GENERATE, (http,), MODEL),
                "Triton gRPC": Target(Protocol.GRPC, (grpc,), MODEL),
                ":9000": Target(Protocol.COMPLETIONS, (door,), MODEL),
            },
        )


@contextmanager
def vllm_server(place: Place, engine: Engine) -> Iterator[Server]:
    """VLLM's own OpenAI server, as `vllm serve` starts it.

    Raises:
        NotStarted: with the end of its log.
    """
    port = place.first_port + _VLLM
    flags = ["--model", place.model_path(), "--served-model-name", MODEL, "--port", str(port)]
    for name, value in engine.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            flags.append(option if value else option.replace("--", "--no-", 1))
        else:
            flags += [option, value if isinstance(value, str) else json.dumps(value)]
    _check_free(port)
    words = [place.python(), "-m", "vllm.entrypoints.openai.api_server", *flags]
    with place.running("vllm", words) as process:
        _wait(process, f"http://127.0.0.1:{port}/health", place.folder / "vllm.log")
        yield Server(process.pid, {"vLLM": Target(Protocol.COMPLETIONS, (port,), MODEL)})


def _set_pace(pacing: Path, sends: int) -> None:
    """Let it send so much at all times, whatever the engine does."""
    text = pacing.read_text()
    for name, value in (("SENDS_PER_SECOND", sends), ("SENDS_PER_PROCESSOR", 0)):
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}.0", text, flags=re.MULTILINE)
        if count != 1:
            raise LookupError(f"{pacing} sets no {name}")
    pacing.write_text(text)


def _check_free(port: int) -> None:
    """Who answers there already would be measured instead.

    Raises:
        NotStarted: somebody does.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise NotStarted(f"port {port} is taken; is a server of an earlier run still there?")


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  our own loopback
                return
        except (urllib.error.URLError, OSError):
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines()[-40:]
            raise NotStarted(f"no answer from {url}\n" + "\n".join(lines))
        time.sleep(_LOOK_SECONDS)
