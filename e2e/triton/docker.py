"""Does what `docker run` would do with a command line of ours, with buildah's storage and runc.

Docker is not to be had everywhere, and of it little is needed: what each flag means stands below. A
flag that does not is an error, so no command of ours grows one that nobody has tried.
"""

from __future__ import annotations

import getopt
import json
import os
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from e2e.triton.container import buildah, stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_NETWORK = "198.18.250"
"""Beside the embedded cluster's addresses."""

_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP"
    " NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
)
"""Docker's, for root; anybody else has them in the bounding set only."""


@dataclass(frozen=True, slots=True)
class Running:
    """A container that runs.

    Attributes:
        process: runc, in front of it.
        published: port of the host → address and port that Docker would pass it on to.
    """

    process: subprocess.Popen[bytes]
    published: dict[int, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A command line, as Docker's own grammar has it: options, the image, its command."""

    name: str
    shm_size: str
    memory: str | None
    ports: list[str]
    volumes: list[str]
    variables: list[str]
    image: str
    command: list[str]


def _parsed(words: Sequence[str]) -> _Asked:
    if list(words[:2]) != ["docker", "run"]:
        raise ValueError(f"no docker run: {words[:2]}")
    options, rest = getopt.getopt(
        list(words[2:]), "p:v:e:", ["rm", "init", "name=", "shm-size=", "memory="]
    )
    given: dict[str, list[str]] = {}
    for name, value in options:
        given.setdefault(name, []).append(value)
    if not given.keys() >= {"--rm", "--init", "--name", "--shm-size"}:
        raise ValueError(f"something is missing: {sorted(given)}")
    return _Asked(
        given["--name"][-1],
        given["--shm-size"][-1],
        given["--memory"][-1] if "--memory" in given else None,
        given.get("-p", []),
        given.get("-v", []),
        given.get("-e", []),
        image=rest[0],
        command=rest[1:],
    )


def _size(text: str) -> int:
    return int(text[:-1]) << {"b": 0, "k": 10, "m": 20, "g": 30}[text[-1]]


def _volume(text: str) -> dict[str, object]:
    source, target, *more = text.split(":")
    options = ["rbind", "ro" if more == ["ro"] else "rw"]
    return {"destination": target, "type": "bind", "source": source, "options": options}


def _mount(target: str, kind: str, *options: str) -> dict[str, object]:
    return {"destination": target, "type": kind, "source": kind, "options": ["nosuid", *options]}


def _mounts(asked: _Asked, root: str) -> list[dict[str, object]]:
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        _mount("/dev", "tmpfs", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        _mount("/sys", "sysfs", "ro"),
        _mount("/dev/shm", "tmpfs", "mode=1777", f"size={_size(asked.shm_size)}"),  # noqa: S108
        # Docker brings a tini of its own.
        _volume(f"{root}/usr/bin/tini:/sbin/docker-init:ro"),
        *map(_volume, asked.volumes),
    ]


def _variable(text: str) -> str:
    """NAME=VALUE, or NAME alone, whose value is the caller's."""
    return text if "=" in text else f"{text}={os.environ[text]}"


def _bundle(asked: _Asked, root: str, network: str) -> dict[str, object]:
    image: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", asked.image))
    config = image["OCIv1"]["config"]
    uid, _, gid = (config.get("User") or "0:0").partition(":")
    capabilities = [f"CAP_{name}" for name in _CAPABILITIES.split()]
    held = capabilities if uid == "0" else []
    spaces: list[dict[str, str]] = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]
    limits = {"memory": {"limit": _size(asked.memory)}} if asked.memory else {}
    return {
        "ociVersion": "1.0.2",
        "root": {"path": root, "readonly": False},
        "hostname": asked.name,
        "process": {
            "user": {"uid": int(uid), "gid": int(gid or 0)},
            "args": ["/sbin/docker-init", "--", *config.get("Entrypoint", []), *asked.command],
            "env": [*config.get("Env", []), *map(_variable, asked.variables)],
            "cwd": config.get("WorkingDir") or "/",
            "capabilities": {"bounding": capabilities, "permitted": held, "effective": held},
        },
        "mounts": _mounts(asked, root),
        "linux": {
            "namespaces": [*spaces, {"type": "network", "path": f"/run/netns/{network}"}],
            "resources": limits,
            "cgroupsPath": f"qwen-docker/{network}",
        },
    }


@contextmanager
def _bridge(name: str) -> Iterator[str]:
    """A network of the container's own, as Docker's default is; yields its address there."""
    here, there = f"{name}h", f"{name}c"
    inside = ("netns", "exec", name, "ip")
    with ExitStack() as undo:
        _ip("netns", "add", name)
        undo.callback(_ip, "netns", "delete", name)
        _ip("link", "add", here, "type", "veth", "peer", "name", there)
        undo.callback(subprocess.run, ["ip", "link", "delete", here], capture_output=True)
        _ip("link", "set", there, "netns", name)
        _ip("address", "add", f"{_NETWORK}.1/30", "dev", here)
        _ip("link", "set", here, "up")
        _ip(*inside, "address", "add", f"{_NETWORK}.2/30", "dev", there)
        for device in ("lo", there):
            _ip(*inside, "link", "set", device, "up")
        yield f"{_NETWORK}.2"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def docker_run(words: Sequence[str], folder: Path) -> Iterator[Running]:
    """Run `docker run …` in the background until the block ends.

    Args:
        words: the command line.
        folder: for the bundle, and for `log`, what the container writes.

    Raises:
        getopt.GetoptError: it has a flag that is not known here.
    """
    asked = _parsed(words)
    name = f"qd{os.getpid()}"
    with ExitStack() as undo:
        address = undo.enter_context(_bridge(name))
        made = buildah("from", "--pull-never", asked.image)
        undo.callback(buildah, "rm", made)
        spec = _bundle(asked, buildah("mount", made), name)
        (folder / "config.json").write_text(json.dumps(spec))
        with (folder / "log").open("wb") as out:
            process = subprocess.Popen(
                ["runc", "run", "--bundle", str(folder), name], stdout=out, stderr=out
            )
        undo.callback(subprocess.run, ["runc", "delete", "--force", name], capture_output=True)
        undo.callback(stop, process)
        pairs = (each.split(":") for each in asked.ports)
        yield Running(process, {int(host): (address, int(port)) for host, port in pairs})
