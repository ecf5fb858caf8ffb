"""Starts a real Triton with a real vLLM engine and knows how to look at it.

Where it comes from, first hit wins:
  QWEN_TRITON_COMMAND     a tritonserver command line of this machine, with its environment;
  QWEN_TRITON_CPU_IMAGE   an image in buildah's storage, started with runc (root only);
  otherwise               what `python -m images build triton-cpu` builds or finds.
QWEN_TRITON_VENV is a folder that takes the place of the image's Python environment: another vLLM.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tokenizers import Tokenizer

from e2e.tiny_qwen.adapter import write_adapter
from e2e.tiny_qwen.folder import write_model
from e2e.tiny_qwen.school.writing import TALKING, publish
from e2e.triton.container import Command, container, stop
from e2e.triton.flags import FLAGS
from e2e.triton.repository import write_repository
from tests.backend.real import pacing, processes
from tests.backend.real.clients import MODEL, ask
from tests.backend.real.recipes import ADAPTERS, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.backend.real.recipes import Recipe

START_SECONDS = 300
KEY_VARIABLE = "QWEN_OPENAI_API_KEY"
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HOME": "/tmp",  # noqa: S108  what the operator sets: the only writable place
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition, with a deadline and a name."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}; at last: {found!r}")
        time.sleep(0.02)


_given_ports: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, and that no server which still starts was given."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            probe = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(probe.getsockname()[1])
            if port not in _given_ports:
                found.append(port)
    _given_ports.update(found)
    return found


@contextmanager
def standing_still(triton: Triton) -> Iterator[None]:
    """The engine takes no step meanwhile: nobody's answer can end while a test looks."""
    with processes.stopped(triton.engine):
        yield


@dataclass
class Triton:
    """A running server and where to reach it."""

    folder: Path
    process: subprocess.Popen[bytes]
    http_port: int
    grpc_port: int
    metrics_port: int
    health_port: int
    log: Path
    termination_log: Path
    key: str | None = None

    def generate(self, body: object, *, stream: bool = False) -> tuple[int, bytes]:
        """One POST to generate or generate_stream."""
        verb = "generate_stream" if stream else "generate"
        return ask(f"http://127.0.0.1:{self.http_port}/v2/models/{MODEL}/{verb}", body)

    def openai(self, path: str, body: object | None = None) -> tuple[int, bytes]:
        """One exchange with the OpenAI endpoint, with the key where there is one."""
        return ask(f"http://127.0.0.1:{self.health_port}{path}", body, key=self.key)

    def health(self) -> tuple[int, dict[str, str]]:
        """Status and body of /health."""
        status, body = ask(f"http://127.0.0.1:{self.health_port}/health", timeout=2.0)
        return status, json.loads(body) if body else {}

    def series(self) -> dict[str, float]:
        """What :8002 shows, by name; of several series of one name the sum."""
        _, body = ask(f"http://127.0.0.1:{self.metrics_port}/metrics")
        found: dict[str, float] = {}
        for name, value in re.findall(r"^([\w:]+)(?:\{.*\})? (\S+)$", body.decode(), re.MULTILINE):
            found[name] = found.get(name, 0.0) + float(value)
        return found

    def requests(self, what: str) -> float:
        """How many are "running" or "waiting", as vLLM says: Triton's series is a second old."""
        _, body = self.openai("/metrics")
        pattern = rf"^vllm:num_requests_{what}(?:{{.*}})? (\S+)$"
        found = re.search(pattern, body.decode(), re.MULTILINE)
        return float(found[1]) if found else -1.0

    def is_idle(self) -> bool:
        """Whether the engine runs nothing.

        vLLM 0.9 counts as it takes steps, and with nothing left to do it takes none: so a request
        that can only end at once makes it count anew.
        """
        if self.requests("running") > 0:
            words = self.folder / "weights" / "tiny" / "tokenizer.json"
            end = Tokenizer.from_file(str(words)).token_to_id("<|im_end|>")
            sampling = json.dumps({"allowed_token_ids": [end]})
            self.generate({"prompt": "Hello", "sampling_parameters": sampling})
        return self.requests("running") == 0

    def ended_by_length(self) -> float:
        """How many answers vLLM has brought to their max_tokens."""
        _, body = self.openai("/metrics")
        pattern = r'^vllm:request_success_total{.*finished_reason="length".*} (\S+)$'
        return sum(float(each) for each in re.findall(pattern, body.decode(), re.MULTILINE))

    def pids_of(self, name: str) -> list[int]:
        """The processes of that name among the server's descendants."""
        return processes.named(self.process.pid, name)

    def pid_of(self, name: str) -> int:
        """The first of them."""
        return self.pids_of(name)[0]

    @property
    def engine(self) -> int:
        """The process of the engine's core; there is exactly one."""
        (found,) = processes.engines(self.process.pid)
        return found

    @property
    def worker(self) -> int:
        """The process that computes: the engine's own where this vLLM makes none for that."""
        return next(iter(self.pids_of(processes.WORKER)), self.engine)

    def listener_of(self, port: int) -> int:
        """The stub that listens on a port."""
        found = processes.listener(self.pids_of(processes.STUB), port)
        if found is None:
            pytest.fail(f"no stub listens on {port}")
        return found

    def log_text(self) -> str:
        """Everything it has printed."""
        return self.log.read_text(errors="replace")

    @property
    def has_termination_log(self) -> bool:
        """Whether it finds a file where kubelet would have put one."""
        return "QWEN_TRITON_COMMAND" not in os.environ

    def failure(self) -> dict[str, str]:
        """The termination message; empty while there is none."""
        text = self.termination_log.read_text()
        return json.loads(text) if text else {}


@contextmanager
def started(
    folder: Path, flags: list[str], log: Path, more: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The server, from the image or from this machine; stopped at the end."""
    environment = ENVIRONMENT | dict(more)
    if given := os.environ.get("QWEN_TRITON_COMMAND"):
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*shlex.split(given), *flags],
                stdout=out,
                stderr=out,
                env={**os.environ, **environment},
            )
        try:
            yield process
        finally:
            stop(process)
        return
    environment["VLLM_CACHE_ROOT"] = "/cache"
    reads = {"/models": folder / "models", "/weights": folder / "weights"}
    if venv := os.environ.get("QWEN_TRITON_VENV"):
        reads["/opt/venv"] = Path(venv)
    # There vLLM keeps what it learns of a model class, by a process that imports all anew.
    cache = folder.parent / "vllm-cache"
    cache.mkdir(exist_ok=True)
    cache.chmod(0o777)
    writes = {"/dev/termination-log": folder / "termination-log", "/cache": cache}
    command = Command(["tritonserver", *flags], environment, reads, writes)
    with container(folder, command, log) as process:
        yield process


@contextmanager
def serving(folder: Path, recipe: Recipe) -> Iterator[Triton]:
    """A server over a tiny model; the caller waits for what it wants to see."""
    folder.mkdir(exist_ok=True)
    variables = dict(recipe.environment)
    if recipe.key is not None:
        variables[KEY_VARIABLE] = recipe.key
    folder.chmod(0o755)
    ports = free_ports(4)
    weights = folder / "weights"
    if recipe.talking:
        publish(TALKING, weights / "tiny")
    else:
        write_model(weights / "tiny", seed=0)
        for seed, name in enumerate(ADAPTERS):
            write_adapter(weights / name, seed)
    inside = weights if "QWEN_TRITON_COMMAND" in os.environ else Path("/weights")
    arguments: dict[str, object] = {
        "model": f"{inside}/tiny",
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": 1024,
    }
    if recipe.step_seconds:
        arguments["worker_cls"] = pacing.WORKER_CLASS
        variables[pacing.STEP_SECONDS] = str(recipe.step_seconds)
    arguments |= recipe.engine
    write_repository(
        folder / "models",
        MODEL,
        {key: value for key, value in arguments.items() if value is not None},
        {
            "health_port": str(ports[3]),
            **{
                key: value.replace(WEIGHTS, str(inside)) for key, value in recipe.parameters.items()
            },
        },
        instances=recipe.instances,
    )
    if recipe.step_seconds:
        # Found there by the stub, and by the processes that it makes.
        shutil.copy(pacing.WORKER, folder / "models" / MODEL / "1")
    termination_log = folder / "termination-log"
    termination_log.touch()
    termination_log.chmod(0o666)
    models = folder / "models" if "QWEN_TRITON_COMMAND" in os.environ else Path("/models")
    flags = [
        f"--model-repository={models}",
        *FLAGS,
        f"--load-model={MODEL}",
        f"--http-port={ports[0]}",
        f"--grpc-port={ports[1]}",
        f"--metrics-port={ports[2]}",
        "--metrics-interval-ms=500",
    ]
    log = folder / "log"
    with started(folder, flags, log, variables) as process:
        key = recipe.key
        yield Triton(folder, process, *ports, log=log, termination_log=termination_log, key=key)


def is_ready(triton: Triton) -> bool:
    """Whether it serves its model, by its own words."""
    status, _ = ask(f"http://127.0.0.1:{triton.http_port}/v2/health/ready", timeout=2.0)
    return status == 200 and triton.health()[0] == 200


def wait_until_ready(triton: Triton) -> None:
    """Until the model is served, or the server's own words about why it is not."""

    def ready() -> bool:
        if triton.process.poll() is not None:
            pytest.fail(f"the server ended while loading:\n{triton.log_text()[-4000:]}")
        return is_ready(triton)

    until(ready, START_SECONDS, "the server is ready")
