"""Empties GPU code for other architectures out of a shared library, in place.

nvcc embeds one container ("fatbin") a source file in the ELF section `.nv_fatbin`: a header, then
entries that each hold the machine code (cubin) for one architecture, or PTX, which the driver
compiles for any later one. The driver reads the entries' headers and loads the best match only, so
the bytes of the others may be anything. Zeroing them keeps every offset, and zeroes compress to
nothing: vLLM's kernels shrink to a fifth.

Layout, little endian, as found in CUDA 12 and 13 libraries: container = magic u32, version u16,
header size u16, size of the entries u64; entry = kind u16 (1 PTX, 2 cubin), u16, header size u32,
payload size u64, ..., architecture u32 (90 for sm_90) at offset 28.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.gpu.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = struct.pack("<IH", 0xBA55ED50, 1)
_CONTAINER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQ12xI")
_PTX, _CUBIN = 1, 2


@dataclass(frozen=True, slots=True)
class Entry:
    """Code for one architecture.

    Attributes:
        kind: 1 for PTX, 2 for a cubin.
        architecture: 90 for sm_90; its variants, like sm_90a, bear the same number.
        start: Offset of the payload in the library, in bytes.
        size: Of the payload, in bytes.
    """

    kind: int
    architecture: int
    start: int
    size: int


def _container(library: bytes | bytearray, at: int) -> tuple[list[Entry], int]:
    """The entries of the container that starts there, and the offset behind the last.

    Raises:
        struct.error: This is no such container.
    """
    _, _, header, size = _CONTAINER.unpack_from(library, at)
    entry, end = at + header, at + header + size
    entries = []
    while entry < end:
        kind, _, entry_header, payload, architecture = _ENTRY.unpack_from(library, entry)
        if entry_header < _ENTRY.size or kind not in {_PTX, _CUBIN}:
            raise struct.error
        entries.append(Entry(kind, architecture, entry + entry_header, payload))
        entry += entry_header + payload
    if entry != end or end > len(library):
        raise struct.error
    return entries, end


def containers(library: bytes | bytearray) -> Iterator[list[Entry]]:
    """The entries of each container, in the order of the library.

    Raises:
        PackError: Entries do not end where their container does, or are of an unknown kind.
    """
    at = library.find(_START)
    while at >= 0:
        try:
            entries, end = _container(library, at)
        except struct.error as error:
            raise PackError(
                f"GPU code at byte {at} is laid out in a way unknown here; pack without "
                "--architecture to leave GPU code as it is"
            ) from error
        yield entries
        at = library.find(_START, end)


def unneeded(entries: list[Entry], architecture: int) -> list[Entry]:
    """What a GPU of that architecture never loads from one container.

    It loads the newest cubin of its own generation (the tens) that is not newer than itself;
    without one, the newest PTX that is not newer.
    """
    older = [e for e in entries if e.architecture <= architecture]
    usable = [e for e in older if e.kind == _CUBIN and e.architecture // 10 == architecture // 10]
    usable = usable or [e for e in older if e.kind == _PTX]
    newest = max((e.architecture for e in usable), default=None)
    return [e for e in entries if e not in usable or e.architecture != newest]


def emptied(library: bytes, architecture: int) -> bytes:
    """The library, of the same length, with zeroes for what that architecture never loads."""
    content = bytearray(library)
    for entries in containers(library):
        for entry in unneeded(entries, architecture):
            content[entry.start : entry.start + entry.size] = bytes(entry.size)
    return bytes(content)
