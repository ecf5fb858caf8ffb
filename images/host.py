"""Makes sure that this machine can build images, or says what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess

from images.errors import ImagesError
from images.progress import say

TOOLS = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "runc": "runc"}
"""Command to the Debian package that has it."""

STORAGE = "/var/lib"
FREE_BYTES = 10 * 2**30
"""Both images, their build stages and the downloads that are kept for the next build."""


def require_host() -> None:
    """Install what is missing.

    Raises:
        ImagesError: Not root, too little disk, or a package cannot be had.
    """
    if os.geteuid() != 0:
        raise ImagesError(
            "Building images needs root, for mounts and for buildah's system-wide storage: "
            "run the same command with sudo, or as root in a container."
        )
    free = shutil.disk_usage(STORAGE).free
    if free < FREE_BYTES:
        raise ImagesError(
            f"{STORAGE} has {free / 2**30:.1f} GiB free and building images takes "
            f"{FREE_BYTES / 2**30:.0f}: 'python -m images prune' removes older images."
        )
    missing = sorted(TOOLS[command] for command in TOOLS if shutil.which(command) is None)
    if missing:
        _install(missing)


def _install(packages: list[str]) -> None:
    """Install Debian packages."""
    by_hand = f"install {', '.join(packages)} and try again"
    if shutil.which("apt-get") is None:
        raise ImagesError(f"Building images needs {', '.join(packages)}: {by_hand}.")
    say(f"installing {' '.join(packages)}")
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise ImagesError(
                f"'{' '.join(command)}' ended with {done.returncode}:\n{done.stderr.strip()}\n"
                f"Look at the network and the package sources, or {by_hand}."
            )
