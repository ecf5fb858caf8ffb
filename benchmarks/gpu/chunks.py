"""Makes one compressed archive of a folder, cut into chunks, with their sums."""

from __future__ import annotations

import hashlib
import subprocess
from typing import IO, TYPE_CHECKING, cast

from benchmarks.gpu.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUMS = "SHA256SUMS"
_BLOCK = 1 << 20
_LETTERS = 26


def chunk_name(index: int) -> str:
    """`chunk-aa` for 0, `chunk-ab` for 1: in the order of a shell's `chunk-*`.

    Raises:
        PackError: More chunks than two letters count.
    """
    if index >= _LETTERS**2:
        raise PackError(f"more than {_LETTERS**2} chunks: raise --chunk-mib")
    first, second = divmod(index, _LETTERS)
    return f"chunk-{chr(ord('a') + first)}{chr(ord('a') + second)}"


def _blocks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    left = size
    while left and (block := stream.read(min(left, _BLOCK))):
        left -= len(block)
        yield block


def cut(stream: IO[bytes], into: Path, size: int) -> dict[str, tuple[int, str]]:
    """Write a stream as files of at most `size` bytes: {name: (bytes, SHA-256)}."""
    written: dict[str, tuple[int, str]] = {}
    while True:
        name = chunk_name(len(written))
        digest, length = hashlib.sha256(), 0
        with (into / name).open("wb") as chunk:
            for block in _blocks(stream, size):
                chunk.write(block)
                digest.update(block)
                length += len(block)
        if length:
            written[name] = (length, digest.hexdigest())
        else:
            (into / name).unlink()
        if length < size:
            return written


def sums(written: dict[str, tuple[int, str]]) -> str:
    """The text that `sha256sum --check` reads."""
    return "".join(f"{digest}  {name}\n" for name, (_, digest) in sorted(written.items()))


def write_chunks(folder: Path, into: Path, size: int) -> dict[str, tuple[int, str]]:
    """Archive what lies in a folder into INTO/chunk-aa, -ab, ... and INTO/SHA256SUMS.

    The same files give the same bytes again. Chunks of an earlier pack are removed.

    Args:
        folder: What to archive; names in the archive are relative to it.
        into: Where to, made when it is not there.
        size: Of a chunk at most, in bytes.

    Returns:
        {name: (bytes, SHA-256)}.

    Raises:
        PackError: tar or xz failed.
    """
    into.mkdir(parents=True, exist_ok=True)
    for old in (*into.glob("chunk-??"), into / SUMS):
        old.unlink(missing_ok=True)
    same = ("--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner")
    archive = ["tar", "-C", str(folder), *same, "-cf", "-", "."]
    # Blocks, so that unpacking uses every core.
    compress = ["xz", "-6", "--threads=0", "--block-size=16MiB", "-c"]
    with (
        subprocess.Popen(archive, stdout=subprocess.PIPE) as tar,
        subprocess.Popen(compress, stdin=tar.stdout, stdout=subprocess.PIPE) as xz,
    ):
        cast("IO[bytes]", tar.stdout).close()  # xz has it
        written = cut(cast("IO[bytes]", xz.stdout), into, size)
    status = {"tar": tar.returncode, "xz": xz.returncode}
    failed = [name for name, code in status.items() if code != 0]
    if failed:
        raise PackError(f"{' and '.join(failed)} failed on {folder}; it said why above")
    (into / SUMS).write_text(sums(written))
    return written
