"""Bring the cluster up, take it down, and tell how it is."""

import fcntl
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import (
    api,
    cgroups,
    components,
    configuration,
    images,
    machine,
    network,
    nodes,
    sandboxes,
)
from e2e.cluster.build import Report
from e2e.cluster.certificates import ensure_certificates
from e2e.cluster.components import Component
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout
from e2e.cluster.mounts import unmount_below
from e2e.cluster.process import is_alive, read_record, spawn, stop

MANIFESTS = Path(__file__).parent / "manifests"
START_SECONDS = 120.0
NODE_SECONDS = 90.0
STOP_GRACE = 3.0
LOG_LINES = 15
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asks of `up`; None leaves a running cluster's number as it is.

    `bare` counts at the first start: no node, so no kubelet, runtime, proxy and names.
    """

    gpus: int | None = None
    fake_nodes: int | None = None
    bare: bool = False


@contextmanager
def alone(layout: Layout, report: Report) -> Iterator[None]:
    """Hold the cluster's lock, so that two commands do not build and remove at once."""
    layout.state.mkdir(parents=True, exist_ok=True)
    with (layout.state / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another command is changing this cluster: waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def is_running(layout: Layout, name: str) -> bool:
    """Whether a component's recorded process runs."""
    return is_alive(read_record(layout.pids / name))


def wanted(layout: Layout, *, bare: bool | None = None) -> list[Component]:
    """The components that this cluster has, or will have: kwok only while there are fake nodes."""
    extra = [components.kwok(layout)] if (layout.pids / "kwok").exists() else []
    bare = layout.bare.exists() if bare is None else bare
    return [*(components.control_plane if bare else components.everything)(layout), *extra]


def up(layout: Layout, wishes: Wishes, report: Report) -> None:
    """Start what does not run, and wait until all of it is ready.

    A first start that fails is undone; a repair that fails leaves the running rest.
    """
    fresh = not any(is_running(layout, part.name) for part in wanted(layout))
    if fresh and layout.live.exists():
        report("removing what is left of a cluster that ended without `down`")
        down(layout, report, purge=False)
    if not fresh and wishes.bare != layout.bare.exists():
        found = "has a node" if wishes.bare else "was started without a node"
        raise ClusterError(f"The cluster that runs {found}; run `down` first.")
    parts = wanted(layout, bare=wishes.bare)
    missing = [part for part in parts if not is_running(layout, part.name)]
    if missing:
        machine.check_disk(layout.state)
        machine.check_ports(missing)
    try:
        if missing:
            _start_missing(layout, parts, report, fresh=fresh)
        _wait_until_usable(layout, report)
        _grant(layout, wishes, report)
    except BaseException:
        if fresh:
            report("the start failed: taking down what had started")
            down(layout, report, purge=False)
        raise


def _start_missing(
    layout: Layout, parts: Sequence[Component], report: Report, *, fresh: bool
) -> None:
    _prepare(layout)
    if any(part.name == "kubelet" for part in parts):
        start(layout, components.foundation(layout), report)
        if fresh:
            # The image store outlives a cluster, and with it the containers of one that was killed.
            sandboxes.remove_all(layout)
        images.ensure_pause(layout)
        apply(layout, MANIFESTS)
    else:
        layout.bare.touch()
    start(layout, parts, report)


def _prepare(layout: Layout) -> None:
    folders = (
        *(layout.live, layout.pids, layout.kubeconfigs, layout.config / "cni", layout.logs),
        *(layout.live / "run", layout.images),
    )
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    layout.state.chmod(0o700)
    cgroups.create()
    network.create(layout.state, layout.settings)
    ensure_certificates(layout.certificates)
    for path, text in configuration.files(layout, images.pause_reference(layout)).items():
        file = layout.live / path
        # kube-proxy watches its file and ends when it is written, the same or not.
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def start(layout: Layout, parts: Sequence[Component], report: Report) -> None:
    """Start components as soon as those before them are ready, and wait for all.

    Raises:
        ClusterError: one ended or is not ready in time; its last log lines are in the message.
    """
    began = time.monotonic()
    ready: set[str] = set()
    launched: set[str] = set()
    while len(ready) < len(parts):
        for part in (p for p in parts if p.name not in ready):
            age = time.monotonic() - began
            if part.name not in launched and not is_running(layout, part.name):
                if ready.issuperset(part.after):
                    _launch(layout, part)
                    launched.add(part.name)
            elif api.is_ready(layout, part.ready):
                ready.add(part.name)
                if part.name in launched:
                    report(f"{part.name}: ready after {age:.1f} s")
            elif _has_ended(layout, part):
                raise ClusterError(failure(layout, part, "ended"))
            elif age > START_SECONDS:
                raise ClusterError(failure(layout, part, f"not ready in {START_SECONDS:.0f} s"))
        time.sleep(0.1)


def _has_ended(layout: Layout, part: Component) -> bool:
    # Just after the launch there is no record yet.
    record = read_record(layout.pids / part.name)
    return record is not None and not is_alive(record)


def _launch(layout: Layout, part: Component) -> None:
    record = layout.pids / part.name
    record.unlink(missing_ok=True)
    environment = {"PATH": PATH, "HOME": str(layout.live), "LANG": "C.UTF-8"}
    spawn(
        part.argv,
        record=record,
        group=cgroups.daemons_group(),
        log=layout.log(part.name),
        environment=environment,
    )


def failure(layout: Layout, part: Component, what: str) -> str:
    """A failed component's name, what is wrong, and its last words."""
    log = layout.log(part.name)
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:] if log.exists() else []
    words = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
    return f"{part.name} {what}. Its last log lines, from {log}:\n{words}"


def apply(layout: Layout, path: Path) -> None:
    """Apply manifests with kubectl."""
    kubectl = [layout.binary("kubectl"), f"--kubeconfig={layout.admin_kubeconfig}"]
    environment = {"PATH": PATH, "HOME": str(layout.live)}
    done = subprocess.run(
        [*kubectl, "apply", "--server-side", "--force-conflicts", "--validate=false", "-f", path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ClusterError(f"kubectl could not apply {path}: {done.stderr.strip()}")


def _wait_until_usable(layout: Layout, report: Report) -> None:
    began, bare = time.monotonic(), layout.bare.exists()
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    while time.monotonic() - began < NODE_SECONDS:
        node = bare or nodes.is_node_ready(nodes.read_node(layout))
        if node and api.call(layout, "GET", account):
            what = "accounts" if bare else "node"
            report(f"{what}: ready after {time.monotonic() - began:.1f} s more")
            return
        time.sleep(0.2)
    part = (components.kube_controller_manager if bare else components.kubelet)(layout)
    what = "no accounts" if bare else "no ready node"
    raise ClusterError(failure(layout, part, f"made {what} in {NODE_SECONDS:.0f} s"))


def _grant(layout: Layout, wishes: Wishes, report: Report) -> None:
    if wishes.gpus is not None:
        nodes.advertise_gpus(layout, wishes.gpus)
        report(f"node: advertises {wishes.gpus} GPUs")
    if wishes.fake_nodes is None:
        return
    kwok = components.kwok(layout)
    if wishes.fake_nodes:
        machine.check_ports([] if is_running(layout, kwok.name) else [kwok])
        start(layout, [components.kube_apiserver(layout), kwok], report)
    nodes.set_fake_nodes(layout, wishes.fake_nodes)
    deadline = time.monotonic() + NODE_SECONDS
    while not all(nodes.is_node_ready(node) for node in nodes.read_fake_nodes(layout)):
        if time.monotonic() > deadline:
            raise ClusterError(failure(layout, kwok, "made no ready fake nodes"))
        time.sleep(0.2)
    if not wishes.fake_nodes and (record := read_record(layout.pids / kwok.name)):
        stop([record], STOP_GRACE)
        (layout.pids / kwok.name).unlink()
    report(f"fake nodes: {wishes.fake_nodes}")


def down(layout: Layout, report: Report, *, purge: bool) -> None:
    """End all processes, mounts, devices and rules of the cluster, and delete its data."""
    records = {p.name: read_record(p) for p in layout.pids.glob("*") if not p.suffix}
    last = records.pop("containerd", None)
    stop([record for record in records.values() if record], STOP_GRACE)
    if is_alive(last) and api.is_ready(layout, str(layout.containerd_socket)):
        sandboxes.remove_all(layout)
    sockets = sandboxes.shim_sockets(layout)
    stop([last] if last else [], STOP_GRACE)
    cgroups.kill_all()
    unmount_below(layout.live)
    cgroups.remove()
    network.remove_rules()
    network.remove()
    network.restore_settings(layout.settings)
    sandboxes.remove_traces(layout, sockets)
    if layout.live.exists():
        shutil.rmtree(layout.live)
    if purge:
        shutil.rmtree(layout.images, ignore_errors=True)
        shutil.rmtree(layout.logs, ignore_errors=True)
    report("the cluster is down" + (", its images and logs are deleted" if purge else ""))
