"""Software bills of materials: what Syft finds in an image's file system, as CycloneDX."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

from images import buildah
from images.errors import ImagesError
from images.progress import say
from images.recipes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "cyclonedx-json"
ENVIRONMENT = "e2e/python-environment.sh"


def _syft() -> str:
    made = subprocess.run(
        [ROOT / ENVIRONMENT, "sbom"], stdout=subprocess.PIPE, text=True, check=False
    )
    if made.returncode:
        raise ImagesError(f"'{ENVIRONMENT} sbom' made no environment with Syft: it said why above.")
    return f"{made.stdout.strip()}/bin/syft"


def _scan(folder: str, reference: str) -> dict[str, Any]:
    name, _, version = reference.rpartition(":")
    command = [_syft(), "scan", f"dir:{folder}", "--quiet", "--output", FORMAT]
    command += ["--source-name", name, "--source-version", version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImagesError(f"Syft could not read {reference}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def kinds(bill: dict[str, Any]) -> Counter[str]:
    """How many packages there are of each kind: pypi, deb and so on."""
    urls = (each.get("purl", "") for each in bill.get("components", ()))
    return Counter(url.removeprefix("pkg:").partition("/")[0] for url in urls if url)


def write_sbom(reference: str, path: Path) -> Path:
    """Write an image's bill of materials and return the file's path.

    Raises:
        ImagesError: Syft is not to be had, or the image cannot be read or tells only half.
    """
    with buildah.mounted(reference) as folder:
        bill = _scan(folder, reference)
    found = kinds(bill)
    say(f"{reference}: " + ", ".join(f"{count} {kind}" for kind, count in found.most_common()))
    if not found["deb"]:
        raise ImagesError(
            f"{reference} has no record of its Debian packages in /var/lib/dpkg: its bill of"
            " materials would leave them out. Build it anew with 'python -m images build'."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    return path
