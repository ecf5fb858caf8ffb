"""Run commands against the cluster's containerd and the image tools beside it."""

import subprocess

from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout


def ctr(layout: Layout, *words: str) -> list[str]:
    """A containerd command in the namespace where the kubelet's images and containers are."""
    return ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *words]


def run(argv: list[str], stdin: bytes = b"") -> str:
    """Run a command that must succeed, and return what it printed."""
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()
        raise ClusterError(
            f"`{' '.join(argv)}` ended with status {done.returncode}: {words}. "
            "`python -m e2e.cluster status` tells whether containerd is well."
        )
    return done.stdout.decode()
