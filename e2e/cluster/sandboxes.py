"""End every container of the cluster, and take away what containers leave on a machine."""

import contextlib
import subprocess
from pathlib import Path

from e2e.cluster.containerd import ctr
from e2e.cluster.layout import Layout

SHIM_SOCKETS = Path("/run/containerd/s")
# Created by the kubelet at paths that it takes from no setting.
FIXED_FOLDERS = (
    "/var/log/containers",
    "/var/lib/kubelet/device-plugins",
    "/var/lib/kubelet",
    "/run/containerd/s",
    "/run/containerd",
    "/run/netns",
)
FIXED_FILES = ("/var/lib/kubelet/device-plugins/kubelet.sock",)


def list_names(printed: str) -> list[str]:
    """Names from what `ctr … list --quiet` prints."""
    return [line.strip() for line in printed.splitlines() if line.strip()]


def remove_all(layout: Layout) -> None:
    """Kill all tasks and delete all containers; containerd must run.

    What cannot be removed so is found by control group and mount afterwards.
    """
    for kind, verb in (("tasks", ("remove", "--force")), ("containers", ("delete",))):
        listed = subprocess.run(
            ctr(layout, kind, "list", "--quiet"), capture_output=True, text=True, check=False
        )
        if names := list_names(listed.stdout):
            subprocess.run(
                ctr(layout, kind, *verb, *names), capture_output=True, check=False, timeout=60
            )


def shim_sockets(layout: Layout) -> list[Path]:
    """The sockets of our containers' shims, which lie outside our folder."""
    addresses = layout.live.glob("run/containerd/io.containerd.runtime.v2.task/*/*/address")
    return [Path(a.read_text().strip().removeprefix("unix://")) for a in addresses]


def remove_traces(layout: Layout, sockets: list[Path]) -> None:
    """Remove links, sockets and empty folders outside the state folder."""
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and link.readlink().is_relative_to(layout.live):
            link.unlink()
    for path in (*sockets, *map(Path, FIXED_FILES)):
        path.unlink(missing_ok=True)
    for folder in FIXED_FOLDERS:
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
