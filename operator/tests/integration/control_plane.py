"""A control plane of a test's own, on loopback: etcd, API server, controllers, and no node.

What a test does to the API server that all share (end it, say) would be done to all of them.
`python -m tests.integration.control_plane` keeps one up and prints its kubeconfig: most tests of
this folder run against it, with KUBECONFIG, beside any cluster.
"""

import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from e2e.cluster.build import ensure_binaries
from e2e.cluster.certificates import (
    AUTHORITY,
    FRONT_AUTHORITY,
    SERVICE_ACCOUNT_KEY,
    ensure_certificates,
)
from tests.integration.process import free_port

_START_SECONDS = 60.0
_SERVICES = "10.96.0.0/16"


class ControlPlane:
    """The processes; `kubeconfig` is an administrator's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._binaries = ensure_binaries(lambda _line: None)
        self._pki = folder / "pki"
        ensure_certificates(self._pki)
        self._store, self._port = free_port(), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.kubeconfig = folder / "kubeconfig"
        pki, server = self._pki, f"https://127.0.0.1:{self._port}"
        user = {
            "client-certificate": f"{pki}/admin.crt",
            "client-key": f"{pki}/admin.key",
        }
        cluster = {"server": server, "certificate-authority": f"{pki}/{AUTHORITY}.crt"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        self.kubeconfig.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.kubeconfig.chmod(0o600)

    def start(self) -> None:
        """Start the store and the API server, and wait for them."""
        url, peer = f"http://127.0.0.1:{self._store}", f"http://127.0.0.1:{free_port()}"
        self._launch(
            "etcd",
            f"--data-dir={self._folder}/etcd",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        )
        self._await_page(f"{url}/health")
        self.start_api_server()

    def start_api_server(self) -> None:
        """Start the API server, anew if it has been killed, and wait for it."""
        pki = self._pki
        self._launch(
            "kube-apiserver",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--etcd-servers=http://127.0.0.1:{self._store}",
            f"--service-cluster-ip-range={_SERVICES}",
            "--endpoint-reconciler-type=none",
            "--authorization-mode=RBAC",
            f"--client-ca-file={pki}/{AUTHORITY}.crt",
            f"--tls-cert-file={pki}/serving.crt",
            f"--tls-private-key-file={pki}/serving.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/{SERVICE_ACCOUNT_KEY}",
            f"--service-account-signing-key-file={pki}/{SERVICE_ACCOUNT_KEY}",
            f"--requestheader-client-ca-file={pki}/{FRONT_AUTHORITY}.crt",
            "--profiling=false",
        )
        self._await_page(f"https://127.0.0.1:{self._port}/readyz")

    def start_controllers(self) -> None:
        """Start what makes pods of Deployments and removes what has no owner any more."""
        pki = self._pki
        self._launch(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--root-ca-file={pki}/{AUTHORITY}.crt",
            f"--service-account-private-key-file={pki}/{SERVICE_ACCOUNT_KEY}",
            "--leader-elect=false",
            "--profiling=false",
        )

    def kill(self, name: str) -> None:
        """End one of them at once."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End all of them."""
        for name in list(self._processes):
            self.kill(name)

    def _launch(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [f"{self._binaries}/{name}", *arguments],
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder)},
                stdout=log,
                stderr=log,
            )

    def _await_page(self, url: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers(url):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} does not answer; see the logs in {self._folder}")
            time.sleep(0.1)

    def _answers(self, url: str) -> bool:
        context = ssl.create_default_context(cafile=f"{self._pki}/{AUTHORITY}.crt")
        context.load_cert_chain(f"{self._pki}/admin.crt", f"{self._pki}/admin.key")
        try:
            with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 - http(s)
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """A running one, without controllers."""
    made = ControlPlane(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def main() -> None:
    """Keep one up until a signal."""
    with (
        tempfile.TemporaryDirectory(prefix="qwen-control-plane-") as name,
        control_plane(Path(name)) as made,
    ):
        made.start_controllers()
        sys.stdout.write(f"{made.kubeconfig}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
