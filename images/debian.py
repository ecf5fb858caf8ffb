"""Debian's packages in the images: what was unpacked, held against what `debian.lock` records.

Debian's mirrors drop a version when its fix is out, so an image takes what the signed archive has
now. The lock says what that was when somebody last looked: the same version must be the same file,
and a newer one is told, never silently taken. `python -m images lock` records anew.
"""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING, NamedTuple

from images.errors import ImagesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LOCK = "images/debian.lock"
RECORD = "var/lib/dpkg/status.d"
"""Where an image keeps a paragraph for each package; `recipes.RECORD_HOOK` writes it."""

_HEAD = """\
# Debian's packages of all images: name and architecture, version, SHA-256 of the .deb. Made by
# `python -m images lock` from what apt fetched and checked; do not edit.
"""
_FIELD = re.compile(r"^(Package|Architecture|Version|SHA256): (\S+)$", re.MULTILINE)


class Package(NamedTuple):
    """One package as an archive has it."""

    version: str
    sha256: str


Packages = dict[str, Package]
"""Name and architecture, as apt writes them (`tini:amd64`) → the package."""


class Differences(NamedTuple):
    """What was unpacked, against the lock.

    Attributes:
        forged: the same version and another file.
        moved: another version, or a package that the lock has not.
    """

    forged: list[str]
    moved: list[str]


def _of_paragraphs(texts: Iterable[str]) -> Packages:
    found = (dict(_FIELD.findall(text)) for text in texts)
    return {
        f"{each['Package']}:{each['Architecture']}": Package(each["Version"], each["SHA256"])
        for each in found
    }


def in_tarball(tarball: Path) -> Packages:
    """The packages of a base that mmdebstrap wrote."""
    with tarfile.open(tarball) as archive:
        records = [each for each in archive if each.isfile() and f"/{RECORD}/" in f"/{each.name}"]
        files = [archive.extractfile(each) for each in records]
        return _of_paragraphs(file.read().decode() for file in files if file)


def in_folder(root: Path) -> Packages:
    """The packages of an image whose file system is a folder."""
    return _of_paragraphs(path.read_text("utf-8") for path in (root / RECORD).iterdir())


def written(packages: Mapping[str, Package]) -> str:
    """The lock's text."""
    lines = (f"{name}={each.version} {each.sha256}\n" for name, each in sorted(packages.items()))
    return _HEAD + "".join(lines)


def locked(root: Path) -> Packages:
    """What the lock has."""
    found = {}
    for line in (root / LOCK).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            package, sha256 = line.split()
            name, version = package.split("=", 1)
            found[name] = Package(version, sha256)
    return found


def differences(expected: Mapping[str, Package], found: Mapping[str, Package]) -> Differences:
    """Where what was unpacked is not what the lock has."""
    forged, moved = [], []
    for name, each in sorted(found.items()):
        known = expected.get(name)
        if known is None:
            moved.append(f"{name} {each.version}, which it has not")
        elif known.version != each.version:
            moved.append(f"{name} {known.version} -> {each.version}")
        elif known.sha256 != each.sha256:
            forged.append(f"{name} {each.version} is {each.sha256}, not {known.sha256}")
    return Differences(forged, moved)


def refuse_forged(found: Differences, where: str) -> None:
    """Raise for files that are not those of the lock though they carry the same version.

    Raises:
        ImagesError: there are some.
    """
    if found.forged:
        raise ImagesError(
            f"{where} has other files than {LOCK} under the same versions:\n"
            + "\n".join(f"    {each}" for each in found.forged)
            + "\nDebian does not do that: look at the package sources of this machine, and at who"
            " serves them, before anything of this is used. Where they are right after all,"
            " 'python -m images lock' records them."
        )


def refuse_moved(found: Differences, where: str) -> None:
    """Raise for packages that the lock has not as they are.

    Raises:
        ImagesError: there are some.
    """
    if found.moved:
        raise ImagesError(
            f"{where} is not what {LOCK} has:\n"
            + "\n".join(f"    {each}" for each in found.moved)
            + "\nDebian has moved on: 'python -m images lock' records what it has now; look at the"
            " change and commit it. To build the old one, point apt at a snapshot of the archive"
            " of that day. Without --locked the build goes on with what there is."
        )
