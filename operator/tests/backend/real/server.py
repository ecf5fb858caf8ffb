"""Starts a real Triton with a real vLLM engine and knows how to look at it.

Where it comes from, first hit wins:
  QWEN_TRITON_COMMAND     a tritonserver command line of this machine, with its environment;
  QWEN_TRITON_CPU_IMAGE   an image in buildah's storage, started with runc (root only);
  otherwise               what `python -m images build triton-cpu` builds or finds.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from e2e.tiny_qwen.folder import write_model
from tests.backend.real.clients import MODEL, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[4]
BACKEND = ROOT / "operator/src/qwen_triton"
REFERENCE = ROOT / "operator/tests/backend/config.pbtxt"
START_SECONDS = 300
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HOME": "/tmp",  # noqa: S108  what the operator sets: the only writable place
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition, with a deadline and a name."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


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

    def generate(self, body: object, *, stream: bool = False) -> tuple[int, bytes]:
        """One POST to generate or generate_stream."""
        verb = "generate_stream" if stream else "generate"
        return ask(f"http://127.0.0.1:{self.http_port}/v2/models/{MODEL}/{verb}", body)

    def openai(self, path: str, body: object | None = None) -> tuple[int, bytes]:
        """One exchange with the OpenAI endpoint."""
        return ask(f"http://127.0.0.1:{self.health_port}{path}", body)

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

    def pid_of(self, name: str) -> int:
        """The process of that name among the server's descendants."""
        parents: dict[int, tuple[int, str]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                pid, comm, rest = re.split(r" \(|\) ", stat.read_text(), maxsplit=2)
                parents[int(pid)] = int(rest.split()[1]), comm
        wanted = {self.process.pid}
        while more := {p for p, (parent, _) in parents.items() if parent in wanted} - wanted:
            wanted |= more
        return next(pid for pid in wanted if pid in parents and parents[pid][1].startswith(name))

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


def write_repository(folder: Path, engine: dict[str, object], parameters: dict[str, str]) -> None:
    """The model repository as the operator renders it."""
    entry = folder / MODEL
    package = entry / "1" / "qwen_triton"
    package.mkdir(parents=True)
    config = REFERENCE.read_text()
    for key, value in parameters.items():
        config, count = re.subn(
            rf'(key: "{key}", value: {{ string_value: )"[^"]*"', rf'\1"{value}"', config
        )
        assert count == 1, key
    (entry / "config.pbtxt").write_text(config)
    (entry / "1" / "model.json").write_text(json.dumps(engine))
    for module in BACKEND.glob("*.py"):
        target = entry / "1" if module.name == "model.py" else package
        (target / module.name).write_bytes(module.read_bytes())
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def image() -> str:
    """The reference of the CPU image."""
    if given := os.environ.get("QWEN_TRITON_CPU_IMAGE"):
        return given
    built = subprocess.run(
        [sys.executable, "-m", "images", "build", "triton-cpu"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return dict(line.split() for line in built.splitlines())["triton-cpu"]


def bundle(folder: Path, root: str, config: dict[str, list[str]], command: list[str]) -> None:
    """An OCI bundle like the operator's pod: uid 65532, read-only root, host network here."""

    def tmpfs(size: str) -> dict[str, object]:
        return {"type": "tmpfs", "source": "tmpfs", "options": ["mode=1777", f"size={size}"]}

    def bind(source: Path, *options: str) -> dict[str, object]:
        return {"type": "bind", "source": str(source), "options": ["rbind", *options]}

    mounts: dict[str, dict[str, object]] = {
        "/proc": {"type": "proc", "source": "proc"},
        "/dev": {"type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        "/dev/shm": tmpfs("1g"),  # noqa: S108
        "/tmp": tmpfs("2g"),  # noqa: S108
        "/sys": bind(Path("/sys"), "ro"),
        "/models": bind(folder / "models", "ro"),
        "/weights": bind(folder / "weights", "ro"),
        "/dev/termination-log": bind(folder / "termination-log", "rw"),
    }
    spec = {
        "ociVersion": "1.0.2",
        "root": {"path": root, "readonly": True},
        "process": {
            "user": {"uid": 65532, "gid": 65532},
            "args": [*config.get("Entrypoint", []), *command],
            "env": [*config.get("Env", []), *(f"{k}={v}" for k, v in ENVIRONMENT.items())],
            "cwd": "/",
            "noNewPrivileges": True,
        },
        "mounts": [{"destination": where, **mount} for where, mount in mounts.items()],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
    }
    (folder / "config.json").write_text(json.dumps(spec))


@contextmanager
def container(folder: Path, arguments: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The server, from the image or from this machine; stopped at the end."""
    runtime: list[str] = []
    made = ""
    name = f"qwen-triton-{os.getpid()}-{folder.name}"
    if given := os.environ.get("QWEN_TRITON_COMMAND"):
        runtime = [*shlex.split(given), *arguments]
        environment = {**os.environ, **ENVIRONMENT}
    else:
        made = subprocess.check_output(
            ["buildah", "from", "--pull-never", image()], text=True
        ).strip()
        root = subprocess.check_output(["buildah", "mount", made], text=True).strip()
        config = json.loads(subprocess.check_output(["buildah", "inspect", made]))
        bundle(folder, root, config["OCIv1"]["config"], ["tritonserver", *arguments])
        runtime = ["runc", "run", "--bundle", str(folder), name]
        environment = dict(os.environ)
    with log.open("wb") as out:
        process = subprocess.Popen(runtime, stdout=out, stderr=out, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if made:
            subprocess.run(["runc", "delete", "--force", name], check=False, capture_output=True)
            subprocess.run(["buildah", "rm", made], check=True, capture_output=True)


@contextmanager
def serving(
    folder: Path, engine: dict[str, object] | None = None, parameters: dict[str, str] | None = None
) -> Iterator[Triton]:
    """A server over the tiny model; the caller waits for what it wants to see."""
    folder.chmod(0o755)
    ports = free_ports(4)
    weights = folder / "weights"
    write_model(weights / "tiny", seed=0)
    at = weights / "tiny" if "QWEN_TRITON_COMMAND" in os.environ else Path("/weights/tiny")
    arguments = {"model": str(at), "dtype": "float32", "enforce_eager": True, "max_model_len": 1024}
    write_repository(
        folder / "models",
        {key: value for key, value in (arguments | (engine or {})).items() if value is not None},
        {"health_port": str(ports[3]), **(parameters or {})},
    )
    termination_log = folder / "termination-log"
    termination_log.touch()
    termination_log.chmod(0o666)
    models = folder / "models" if "QWEN_TRITON_COMMAND" in os.environ else Path("/models")
    flags = [
        f"--model-repository={models}",
        "--model-control-mode=explicit",
        f"--load-model={MODEL}",
        "--disable-auto-complete-config",
        f"--http-port={ports[0]}",
        f"--grpc-port={ports[1]}",
        f"--metrics-port={ports[2]}",
        "--metrics-interval-ms=500",
    ]
    log = folder / "log"
    with container(folder, flags, log) as process:
        yield Triton(folder, process, *ports, log=log, termination_log=termination_log)


def wait_until_ready(triton: Triton) -> None:
    """Until the model is served, or the server's own words about why it is not."""

    def ready() -> bool:
        if triton.process.poll() is not None:
            pytest.fail(f"the server ended while loading:\n{triton.log_text()[-4000:]}")
        status, _ = ask(f"http://127.0.0.1:{triton.http_port}/v2/health/ready", timeout=2.0)
        return status == 200

    until(ready, START_SECONDS, "the server is ready")
