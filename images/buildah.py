"""Runs buildah: the one place that knows its command line and its storage.

Images lie in buildah's default storage for root, so that skopeo, podman and 'buildah push' find
them without any option.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from typing import TYPE_CHECKING

from images.client_settings import mounted_settings
from images.errors import ImagesError
from images.progress import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_STEP = re.compile(r"(\[\d+/\d+\] )?(STEP \d+/\d+: .*|COMMIT .*)")
_SHOWN = 40
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _ask(*arguments: str) -> str:
    """Answer of a quick buildah command."""
    done = subprocess.run(["buildah", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise ImagesError(
            f"'buildah {' '.join(arguments)}' ended with {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout.strip()


def _follow(command: list[str], what: str, environment: Mapping[str, str]) -> None:
    """Run a long command, show its steps, and its last words if it fails."""
    last: deque[str] = deque(maxlen=_SHOWN)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=dict(environment),
    ) as process:
        try:
            for line in process.stdout or ():
                last.append(line.rstrip())
                if found := _STEP.match(line):
                    say(f"{what}: {found[2]:.90}")
        except BaseException:
            process.terminate()  # whoever interrupts this wants the build to end too
            raise
    if process.returncode:
        raise ImagesError(
            f"Building {what} ended with {process.returncode}. Its last lines:\n"
            + "\n".join(f"    {line}" for line in last)
            + "\nNo image was made. Most often a download failed (network, proxy, certificates) "
            "or the disk is full; the next try goes on with what was downloaded."
        )


def exists(reference: str) -> bool:
    """Whether an image is in the storage; nothing is where buildah itself is missing."""
    if shutil.which("buildah") is None:
        return False
    command = ["buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", reference]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def build(
    containerfile: str,
    reference: str,
    arguments: Mapping[str, str],
    *,
    context: Path,
    keep_layers: bool,
) -> None:
    """Build a Containerfile; the reference exists only if all of it worked."""
    command = ["buildah", "build", "--isolation", "oci", "--network", "host"]
    command += ["--pull-never", "--force-rm", f"--layers={str(keep_layers).lower()}"]
    command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
    with mounted_settings(os.environ) as settings:
        command += [*settings, "--tag", reference, "--file", containerfile, str(context)]
        _follow(command, reference, os.environ)


def unpack_base(command: list[str], what: str) -> None:
    """Run a command that writes a base's file system into a tar file."""
    with tempfile.TemporaryDirectory(prefix="qwen-images-") as temporary:
        # A temporary folder of its own: mmdebstrap's working tree must not outlive a failure.
        _follow(command, what, {**os.environ, "TMPDIR": temporary})


def import_base(tarball: Path, reference: str) -> None:
    """Make an image of a tar file."""
    container = _ask("from", "scratch")
    try:
        _ask("add", "--quiet", container, str(tarball), "/")
        _ask("config", "--env", _PATH, "--cmd", "/bin/sh", container)
        _ask("commit", "--quiet", container, reference)
    finally:
        _ask("rm", container)


@contextlib.contextmanager
def mounted(reference: str) -> Iterator[str]:
    """An image's file system as a folder, while the context lasts."""
    container = _ask("from", "--pull-never", reference)
    try:
        yield _ask("mount", container)
    finally:
        _ask("rm", container)


def references() -> list[str]:
    """Every named image in the storage."""
    images = json.loads(_ask("images", "--json") or "null") or []
    return sorted(name for image in images for name in image.get("names") or [])


def remove(reference: str) -> bool:
    """Remove a name and the layers that nothing else uses; False while a container uses it."""
    try:
        _ask("rmi", reference)
    except ImagesError as error:
        if "in use" in str(error) or "used by" in str(error):
            return False
        raise
    return True
