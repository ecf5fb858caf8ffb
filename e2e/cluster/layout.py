"""Where the cluster keeps its files: one folder for its state, one per set of binaries."""

import os
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.errors import ClusterError

# A unix socket's address holds 107 bytes, and the longest one of ours below the
# state folder is kubelet's pod-resources socket.
LONGEST_STATE_PATH = 60


def cache_folder() -> Path:
    """The folder of everything that is built once per machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qwen-operator"


def state_folder() -> Path:
    """The cluster's own folder, QWEN_CLUSTER_DIR when set.

    Raises:
        ClusterError: the path is too long for the sockets below it.
    """
    default = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    chosen = os.environ.get("QWEN_CLUSTER_DIR") or default / "qwen-operator/cluster"
    folder = Path(chosen).expanduser().resolve()
    if len(str(folder)) > LONGEST_STATE_PATH:
        raise ClusterError(
            f"The state folder {folder} has a path of more than {LONGEST_STATE_PATH} characters, "
            "too long for the sockets in it. Set QWEN_CLUSTER_DIR to a shorter path."
        )
    return folder


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one cluster.

    `live` is gone after `down`; `images` outlives it, since a model image of
    gigabytes is loaded once; `logs` stay to be read.
    """

    state: Path
    binaries: Path

    @property
    def live(self) -> Path:
        """Everything that ends with the cluster."""
        return self.state / "live"

    @property
    def images(self) -> Path:
        """Containerd's store."""
        return self.state / "images"

    @property
    def logs(self) -> Path:
        """One file per component, and audit.log."""
        return self.state / "logs"

    @property
    def pids(self) -> Path:
        """One record per started component."""
        return self.live / "pids"

    @property
    def certificates(self) -> Path:
        """Keys and certificates."""
        return self.live / "pki"

    @property
    def config(self) -> Path:
        """Rendered configuration files."""
        return self.live / "config"

    @property
    def kubeconfigs(self) -> Path:
        """One kubeconfig per client."""
        return self.live / "kubeconfig"

    @property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig for people and tests."""
        return self.kubeconfigs / "admin"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.live / "run/containerd.sock"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root folder."""
        return self.live / "kubelet"

    @property
    def settings(self) -> Path:
        """What this machine's settings were before the cluster changed them."""
        return self.live / "machine-settings.json"

    @property
    def bare(self) -> Path:
        """Exists while the cluster was started without a node of its own."""
        return self.live / "no-node"

    def log(self, component: str) -> Path:
        """The log file of a component."""
        return self.logs / ("audit.log" if component == "audit" else f"{component}.log")

    def binary(self, name: str) -> str:
        """The path of a built binary."""
        return str(self.binaries / name)
