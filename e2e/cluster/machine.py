"""Ask whether this machine can carry the cluster, and install what Debian packages give."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from e2e.cluster.addresses import BRIDGE
from e2e.cluster.build import Report
from e2e.cluster.components import Component
from e2e.cluster.configuration import CNI_PLUGINS
from e2e.cluster.errors import ClusterError
from e2e.cluster.network import owner

PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "ss": "iproute2",
    "openssl": "openssl",
    # Not for the cluster itself: the recipe's clients ask with it.
    "curl": "curl",
    "buildah": "buildah",
    f"{CNI_PLUGINS}/ptp": "containernetworking-plugins",
}
NEEDED_GIB = 8
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = (
    "#!/bin/sh\n# qwen-operator: packages are installed without starting services\nexit 101\n"
)
ADDRESS_FIELD, PROCESS_FIELD = 3, 5


def missing_packages(wanted: Mapping[str, str] = PACKAGES) -> list[str]:
    """Debian packages whose programs are not here; program → package."""
    return sorted({package for name, package in wanted.items() if not shutil.which(name)})


def check_root() -> None:
    """Refuse to go on without root."""
    if os.geteuid():
        raise ClusterError(
            "The cluster starts containers and network devices of its own, for which it needs "
            "root. Run the same command as root (`sudo -E python -m e2e.cluster …`)."
        )


def check_disk(folder: Path) -> None:
    """Refuse to start on a disk that images would fill."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free >> 30
    if free < NEEDED_GIB:
        raise ClusterError(
            f"The state folder {folder} needs {NEEDED_GIB} GiB for images and has {free} GiB "
            "free. Make room, or set QWEN_CLUSTER_DIR to a folder on a larger disk."
        )


def check_owner(state: Path) -> None:
    """Refuse to start a second cluster beside one with another state folder."""
    other = owner()
    if other is not None and other not in ("", str(state)):
        raise ClusterError(
            f"A cluster with the state folder {other} holds this machine's device {BRIDGE}. "
            f"Stop it first: QWEN_CLUSTER_DIR={other} python -m e2e.cluster down"
        )


def is_blocking(listening: str, wanted: tuple[str, int]) -> bool:
    """Whether a listener's address, as `ss` writes it, keeps ours from being taken."""
    host, _, port = listening.rpartition(":")
    bare = host.strip("[]").partition("%")[0]
    return port == str(wanted[1]) and bare in ("*", "0.0.0.0", "::", wanted[0])  # noqa: S104 compared, not bound


def taken(listeners: str, wanted: tuple[str, int]) -> str:
    """Who listens on an address, from `ss -Hlntp`; empty when nobody does."""
    for row in (line.split() for line in listeners.splitlines()):
        if len(row) > ADDRESS_FIELD and is_blocking(row[ADDRESS_FIELD], wanted):
            return row[PROCESS_FIELD] if len(row) > PROCESS_FIELD else "another process"
    return ""


def check_ports(components: Iterable[Component]) -> None:
    """Refuse to start a component whose address somebody else holds."""
    listeners = subprocess.run(["ss", "-Hlntp"], capture_output=True, text=True, check=True).stdout
    for component in components:
        for host, port in component.listens:
            if holder := taken(listeners, (host, port)):
                raise ClusterError(
                    f"{component.name} listens on {host}:{port}, and {holder} holds that "
                    "address. Stop that process (`ss -lntp` shows it) and run this again."
                )


def install_packages(report: Report, wanted: Mapping[str, str] = PACKAGES) -> None:
    """Install the missing Debian packages, without letting them start their services."""
    missing = missing_packages(wanted)
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(
            f"These Debian packages are missing: {', '.join(missing)}; and there is no apt-get "
            "here. Install what they hold by this system's own means."
        )
    report(f"installing {', '.join(missing)}")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    ours = not POLICY.exists() or POLICY.read_text() == POLICY_TEXT
    if ours:
        POLICY.write_text(POLICY_TEXT)
        POLICY.chmod(0o755)
    try:
        _apt(["apt-get", "update"])
        _apt(install)
    finally:
        if ours:
            POLICY.unlink()
    if still := missing_packages(wanted):
        raise ClusterError(f"After `{' '.join(install)}` their programs are missing still: {still}")


def _apt(argv: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(
            f"`{' '.join(argv)}` ended with status {done.returncode}:\n{done.stderr.strip()}\n"
            "Check the network and the package sources, or install the packages yourself."
        )
