"""Build the cluster's binaries from their Go modules, once per content of these modules."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import cache_folder

MODULES = Path(__file__).parent / "go"
DAEMONS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
STAGES = "kwok-stages.yaml"
STAGE_FOLDERS = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
FLAGS = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
VERSION_PACKAGE = "k8s.io/component-base/version"
HELM = "helm.sh/helm/v3"
RECORD = "built.json"
NEEDED_GIB = 15
REPORT_SECONDS = 20.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One `go build`: in which module, which packages, to which names."""

    module: str
    packages: tuple[str, ...]
    makes: tuple[str, ...]


STEPS = (
    Step(
        "kubernetes",
        ("./kube", "./pause", "k8s.io/kubernetes/cmd/kubectl"),
        ("kube", "pause", "kubectl"),
    ),
    Step(
        "addons",
        ("./coredns", "helm.sh/helm/v3/cmd/helm", "sigs.k8s.io/kwok/cmd/kwok"),
        ("coredns", "helm", "kwok"),
    ),
    Step("addons", ("go.etcd.io/etcd/server/v3",), ("etcd",)),
)


def version_of(package: str, go_mod: str) -> str:
    """The version that a go.mod requires of a package."""
    found = re.search(rf"^(?:require)?\s*{re.escape(package)} (v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise ClusterError(f"go.mod requires no {package}; the module files are incomplete.")
    return found.group(1)


def linker_flags(version: str) -> str:
    """Linker flags: no symbol tables, and the version that Kubernetes reports."""
    major, minor = version.removeprefix("v").split(".")[:2]
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    return "-s -w " + " ".join(f"-X {VERSION_PACKAGE}.{name}={v}" for name, v in values.items())


def helm_flags(version: str) -> str:
    """Linker flags that tell helm which Kubernetes `helm template` renders for by itself.

    Built from the module it would say 1.20, which every present chart refuses.
    """
    major, minor = version.removeprefix("v").split(".")[:2]
    package = f"{HELM}/pkg/chartutil"
    return f"-s -w -X {package}.k8sVersionMajor={major} -X {package}.k8sVersionMinor={minor}"


def build_argv(step: Step, output: Path, version: str) -> list[str]:
    """The command of one step; a single program is named, several go into a folder."""
    target = f"{output}/{step.makes[0]}" if len(step.makes) == 1 else f"{output}/"
    flags = linker_flags(version) if step.module == "kubernetes" else helm_flags(version)
    return ["go", "build", "-v", *FLAGS, "-ldflags", flags, "-o", target, *step.packages]


def cache_key(modules: Path = MODULES) -> str:
    """A digest of everything that decides what the binaries are."""
    digest = hashlib.sha256(
        repr((FLAGS, STEPS, STAGE_FOLDERS, helm_flags("v1.0"), os.uname().machine)).encode()
    )
    for path in sorted(modules.rglob("*")):
        if path.name in ("go.mod", "go.sum") or path.suffix == ".go":
            content = path.read_bytes()
            digest.update(f"\n{path.relative_to(modules)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def binaries_folder() -> Path:
    """Where this checkout's binaries are, or will be."""
    return cache_folder() / f"bin-{cache_key()}"


def is_complete(folder: Path) -> bool:
    """Whether a folder holds every file that its record names, at its full size."""
    try:
        sizes = json.loads((folder / RECORD).read_text())
        return bool(sizes) and all((folder / n).stat().st_size == s for n, s in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def ensure_binaries(report: Report) -> Path:
    """Return the folder of complete binaries, building them when there is none."""
    folder = binaries_folder()
    if is_complete(folder):
        return folder
    cache_folder().mkdir(parents=True, exist_ok=True)
    with _alone(cache_folder() / "build.lock", report):
        if is_complete(folder):
            return folder
        _check_tools()
        if folder.exists():
            report(f"{folder} is incomplete or damaged: building it again")
            shutil.rmtree(folder)
        for left in cache_folder().glob("bin-*.building"):
            shutil.rmtree(left)
        building = folder.with_name(folder.name + ".building")
        building.mkdir()
        _build(building, report)
        building.rename(folder)
    return folder


@contextmanager
def _alone(lock: Path, report: Report) -> Iterator[None]:
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another build of the binaries is running: waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _check_tools() -> None:
    if not shutil.which("go"):
        raise ClusterError(
            "The cluster's binaries are built with Go and no `go` is on PATH. "
            "Install Go 1.26 or newer (https://go.dev/dl/) and run this again."
        )
    free = shutil.disk_usage(cache_folder()).free >> 30
    if free < NEEDED_GIB:
        raise ClusterError(
            f"A first build needs about {NEEDED_GIB} GiB (Go's caches hold most of it) and "
            f"{cache_folder()} has {free} GiB free. Make room, or set XDG_CACHE_HOME, GOCACHE "
            "and GOMODCACHE to a larger disk."
        )


def _build(folder: Path, report: Report) -> None:
    report("building the cluster's binaries; about ten minutes the first time on two cores")
    version = version_of("k8s.io/kubernetes", (MODULES / "kubernetes/go.mod").read_text())
    for step in STEPS:
        _run(step, build_argv(step, folder, version), report)
    for daemon in DAEMONS:
        (folder / daemon).symlink_to("kube")
    (folder / STAGES).write_text(_kwok_stages())
    sizes = {p.name: p.stat().st_size for p in sorted(folder.iterdir())}
    (folder / RECORD).write_text(json.dumps(sizes, indent=1))


def _run(step: Step, argv: list[str], report: Report) -> None:
    names, started, compiled, last = ", ".join(step.makes), time.monotonic(), 0, 0.0
    report(f"{names}: building")
    tail: list[str] = []
    # GOGC: the compiler's memory is cheap beside its time.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOGC": "400", "GOFLAGS": "-mod=readonly"}
    with subprocess.Popen(
        argv, cwd=MODULES / step.module, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr or ():
            compiled += 1
            tail = [*tail[-14:], line]
            elapsed = time.monotonic() - started
            if elapsed - last > REPORT_SECONDS:
                last = elapsed
                report(f"{names}: {compiled} packages compiled, {elapsed:.0f} s")
    if process.returncode:
        sys.stderr.writelines(tail)
        raise ClusterError(
            f"`go build` of {names} ended with status {process.returncode}; its last lines are "
            "above. A module that cannot be downloaded means no way to Go's module proxy "
            "(`go env GOPROXY`). What was compiled is kept: run this again to go on."
        )
    report(f"{names}: built in {time.monotonic() - started:.0f} s")


def _kwok_stages() -> str:
    """What kwok does to its nodes and pods, as its own module ships it."""
    listed = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"],
        cwd=MODULES / "addons",
        check=True,
        capture_output=True,
        text=True,
    )
    folder = Path(listed.stdout.strip()) / "kustomize/stage"
    files = [f for name in STAGE_FOLDERS for f in sorted((folder / name).glob("*-*.yaml"))]
    return "\n---\n".join(file.read_text() for file in files)
