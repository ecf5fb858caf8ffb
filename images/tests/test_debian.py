"""Debian's packages are those of the lock, or it is said which are not."""

import io
import re
import tarfile
from pathlib import Path

import pytest

from images import debian
from images.__main__ import LISTS
from images.debian import Differences, Package
from images.errors import ImagesError
from images.recipes import ROOT, SYSTEM_PACKAGES, package_list

OLD, NEW = "1" * 64, "2" * 64
LOCKED = {"tini:amd64": Package("0.19.0-1", OLD), "zlib1g:amd64": Package("1:1.2.13-1", OLD)}
PARAGRAPH = """\
Package: tini
Architecture: amd64
Version: 0.19.0-1
Depends: libc6
Description: x
 Version: 9
"""


def test_the_lock_has_each_package_that_a_list_names_by_hash() -> None:
    locked = debian.locked(ROOT)
    named = {name for listing in LISTS for name in package_list(ROOT, listing)}
    assert named | set(SYSTEM_PACKAGES) <= {each.partition(":")[0] for each in locked}
    assert all(re.fullmatch(r"[0-9a-f]{64}", each.sha256) for each in locked.values())
    assert debian.written(locked) == (ROOT / debian.LOCK).read_text()


def test_a_newer_version_and_a_new_package_have_moved_and_the_same_is_nothing() -> None:
    found = {"tini:amd64": Package("0.19.0-2", NEW), "tini:arm64": Package("0.19.0-1", NEW)}
    moved = ["tini:amd64 0.19.0-1 -> 0.19.0-2", "tini:arm64 0.19.0-1, which it has not"]
    assert debian.differences(LOCKED, found) == Differences([], moved)
    assert debian.differences(LOCKED, LOCKED) == Differences([], [])


def test_another_file_of_the_same_version_is_forged_and_refused_in_any_build() -> None:
    found = debian.differences(LOCKED, {"tini:amd64": Package("0.19.0-1", NEW)})
    assert found.moved == []
    with pytest.raises(ImagesError, match=rf"tini:amd64 0\.19\.0-1 is {NEW}, not {OLD}"):
        debian.refuse_forged(found, "a base")


def test_what_has_moved_is_refused_with_the_next_step_where_the_lock_must_hold() -> None:
    debian.refuse_forged(Differences([], ["tini 1 -> 2"]), "a base")
    with pytest.raises(ImagesError, match=r"(?s)tini 1 -> 2.*python -m images lock"):
        debian.refuse_moved(Differences([], ["tini 1 -> 2"]), "an image")


def test_packages_are_read_from_a_base_s_tar_file_and_from_an_image_s_folder(
    tmp_path: Path,
) -> None:
    text = f"{PARAGRAPH}SHA256: {OLD}\n"
    with tarfile.open(tmp_path / "base.tar", "w") as archive:
        for name in (f"./{debian.RECORD}/tini", "./etc/other"):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    folder = tmp_path / debian.RECORD
    folder.mkdir(parents=True)
    (folder / "tini").write_text(text)
    expected = {"tini:amd64": LOCKED["tini:amd64"]}
    assert debian.in_tarball(tmp_path / "base.tar") == expected
    assert debian.in_folder(tmp_path) == expected
