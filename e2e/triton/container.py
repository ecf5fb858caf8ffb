"""Runs the triton-cpu image the way the operator's pod does, with runc and without a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS = 40


def image() -> str:
    """The reference of the CPU image: QWEN_TRITON_CPU_IMAGE, or what its sources give."""
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


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and what it finds.

    Attributes:
        words: the command after the image's entrypoint.
        environment: beside the image's own.
        reads: folders and files of this machine by their place in the container.
        writes: the same, writable.
    """

    words: Sequence[str]
    environment: Mapping[str, str]
    reads: Mapping[str, Path]
    writes: Mapping[str, Path]


@contextmanager
def container(folder: Path, command: Command, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running container: uid 65532, read-only root, this machine's network; stopped at the end.

    Args:
        folder: where its OCI bundle is written.
        command: what it runs.
        log: file that takes its standard output and error.
    """
    name = f"qwen-triton-{os.getpid()}-{folder.name}"
    made = buildah("from", "--pull-never", image())
    try:
        config = json.loads(buildah("inspect", made))["OCIv1"]["config"]
        spec = _bundle(buildah("mount", made), config, command)
        (folder / "config.json").write_text(json.dumps(spec))
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["runc", "run", "--bundle", str(folder), name], stdout=out, stderr=out
            )
        try:
            yield process
        finally:
            stop(process)
            subprocess.run(["runc", "delete", "--force", name], check=False, capture_output=True)
    finally:
        buildah("rm", made)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a server to end, and end it when it does not."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def buildah(*words: str) -> str:
    """What buildah says."""
    return subprocess.check_output(["buildah", *words], text=True).strip()


def _bundle(root: str, config: Mapping[str, list[str]], command: Command) -> dict[str, object]:
    def tmpfs(size: str) -> dict[str, object]:
        return {"type": "tmpfs", "source": "tmpfs", "options": ["mode=1777", f"size={size}"]}

    def bind(source: Path, option: str) -> dict[str, object]:
        return {"type": "bind", "source": str(source), "options": ["rbind", option]}

    mounts: dict[str, dict[str, object]] = {
        "/proc": {"type": "proc", "source": "proc"},
        "/dev": {"type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        "/dev/shm": tmpfs("1g"),  # noqa: S108
        "/tmp": tmpfs("2g"),  # noqa: S108
        "/sys": bind(Path("/sys"), "ro"),
        **{where: bind(source, "ro") for where, source in command.reads.items()},
        **{where: bind(source, "rw") for where, source in command.writes.items()},
    }
    environment = [f"{name}={value}" for name, value in command.environment.items()]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": root, "readonly": True},
        "process": {
            "user": {"uid": 65532, "gid": 65532},
            "args": [*config.get("Entrypoint", []), *command.words],
            "env": [*config.get("Env", []), *environment],
            "cwd": "/",
            "noNewPrivileges": True,
        },
        "mounts": [{"destination": where, **mount} for where, mount in mounts.items()],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
    }
