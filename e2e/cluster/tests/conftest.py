"""A cluster with a state folder of its own, and a picture of what it changes on a machine."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from e2e.cluster import cgroups, network

ROOT = Path(__file__).parents[3]
TRACES = ("/run/containerd", "/run/netns", "/var/lib/kubelet", "/var/log/containers")


@dataclass
class Shell:
    """Runs the cluster's commands, and kubectl, for one state folder."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "QWEN_CLUSTER_DIR": str(self.folder), **self.extra}

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "e2e.cluster", *words]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.argv(*words), cwd=ROOT, env=self.environment, text=True)

    def cluster(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*words),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )

    def must(self, *words: str) -> str:
        done = self.cluster(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def kubectl(self, *words: str, stdin: str = "") -> str:
        argv = [self.tool("kubectl"), f"--kubeconfig={self.kubeconfig}", *words]
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def tool(self, name: str) -> str:
        found = shutil.which(name, path=self.must("env").split("PATH=")[1])
        assert found
        return found

    @property
    def kubeconfig(self) -> str:
        return self.must("kubeconfig").strip()

    def pids(self) -> dict[str, str]:
        return {p.name: p.read_text() for p in (self.folder / "live/pids").glob("*")}

    def apply(self, *objects: Mapping[str, object]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(listed))


def _lines(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def _processes(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            groups = (process / "cgroup").read_text()
        except OSError:
            continue
        if words and (str(folder) in words or cgroups.NAME in groups):
            found.append(f"{process.name} {words}")
    return found


def picture(folder: Path) -> dict[str, object]:
    """Everything that a cluster adds to a machine."""
    mounts = [line.split()[4] for line in _lines("cat", "/proc/self/mountinfo")]
    builtin = ("INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING")
    rules = [*_lines("iptables-save"), *_lines("ip6tables-save")]
    return {
        "processes": _processes(folder),
        # Image builds of somebody else come and go there.
        "mounts": sorted(m for m in mounts if not m.startswith("/var/lib/containers")),
        "links": sorted(each["ifname"] for each in json.loads(_lines("ip", "-j", "link")[0])),
        "routes": _lines("ip", "route", "show", "table", "all"),
        "chains": [r for r in rules if r.startswith(":") and r[1:].split()[0] not in builtin],
        "rules": [r for r in rules if r.startswith("-A")],
        "groups": [str(root) for root in cgroups.roots() if root.exists()],
        "settings": {s: (network.SYSCTL / s).read_text() for s in network.SETTINGS},
        "traces": {trace: Path(trace).exists() for trace in TRACES},
    }


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A state folder with a short path, as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="qc-", dir="/var/tmp") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def shell(folder: Path) -> Shell:
    return Shell(folder)


@pytest.fixture(name="picture")
def fixture_picture(folder: Path) -> Callable[[], dict[str, object]]:
    return lambda: picture(folder)
