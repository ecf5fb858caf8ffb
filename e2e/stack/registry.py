"""A registry on this machine, Debian's own, as the one of a cluster without a way out."""

import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from e2e.cluster.machine import install_packages
from e2e.stack.commands import CommandError

ADDRESS = "localhost:5000"
"""containerd speaks plain HTTP to localhost, as it would HTTPS to another."""
PACKAGES = {"docker-registry": "docker-registry", "skopeo": "skopeo"}
_START_SECONDS = 20


def _wait(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{ADDRESS}/v2/"):
            return
        time.sleep(0.1)
    raise CommandError("docker-registry does not answer")


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Its address, while the context lasts; with the folder as HOME skopeo speaks HTTP to it."""
    install_packages(print, PACKAGES)
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}},
        "http": {"addr": f"127.0.0.1:{ADDRESS.rpartition(':')[2]}"},
    }
    (folder / "registry.json").write_text(json.dumps(settings))
    plain = folder / ".config" / "containers" / "registries.conf"
    plain.parent.mkdir(parents=True)
    plain.write_text(f'[[registry]]\nlocation = "{ADDRESS}"\ninsecure = true\n')
    command = ["docker-registry", "serve", str(folder / "registry.json")]
    log = (folder / "registry.log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(process)
            yield ADDRESS
        finally:
            process.terminate()
