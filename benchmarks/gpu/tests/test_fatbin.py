import struct

import pytest

from benchmarks.gpu.errors import PackError
from benchmarks.gpu.fatbin import containers, emptied

PTX, CUBIN = 1, 2


def entry(kind: int, architecture: int, payload: bytes) -> bytes:
    header = struct.pack("<HHIQ12xI32x", kind, 0x101, 64, len(payload), architecture)
    return header + payload


def container(*entries: bytes) -> bytes:
    content = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(content)) + content


def test_a_cubin_of_its_own_is_all_that_a_gpu_keeps() -> None:
    library = b"ELF" + container(
        entry(CUBIN, 80, b"eighty.."), entry(CUBIN, 90, b"ninety.."), entry(PTX, 90, b"source..")
    )

    kept = emptied(library, 90)

    assert len(kept) == len(library)
    assert b"ninety.." in kept
    assert b"eighty.." not in kept
    assert b"source.." not in kept


def test_variants_of_an_architecture_are_all_kept() -> None:
    library = container(entry(CUBIN, 90, b"sm_90..."), entry(CUBIN, 90, b"sm_90a.."))

    assert emptied(library, 90) == library


def test_without_a_cubin_the_newest_source_that_compiles_is_kept() -> None:
    library = container(
        entry(CUBIN, 80, b"cubin80."),
        entry(PTX, 75, b"ptx75..."),
        entry(PTX, 80, b"ptx80..."),
        entry(PTX, 100, b"ptx100.."),
    )

    kept = emptied(library, 90)

    assert b"ptx80..." in kept
    assert not any(text in kept for text in (b"cubin80.", b"ptx75...", b"ptx100.."))


def test_an_older_cubin_of_the_same_generation_is_kept() -> None:
    library = container(entry(CUBIN, 80, b"cubin80."), entry(PTX, 80, b"ptx80..."))

    kept = emptied(library, 86)

    assert b"cubin80." in kept
    assert b"ptx80..." not in kept


def test_each_container_is_judged_alone_and_headers_stay() -> None:
    old = container(entry(CUBIN, 80, b"\x01" * 8))
    new = container(entry(CUBIN, 90, b"\x02" * 8))

    kept = emptied(new + b"between" + old, 90)

    assert kept == new + b"between" + container(entry(CUBIN, 80, bytes(8)))


def test_a_library_without_gpu_code_stays_as_it_is() -> None:
    assert emptied(b"\x7fELF nothing", 90) == b"\x7fELF nothing"


@pytest.mark.parametrize(
    "library",
    [
        container(entry(CUBIN, 90, b"whole..."), b"rest") + bytes(64),
        container(entry(CUBIN, 90, b"longer than its container"))[:8]
        + struct.pack("<Q", 70)
        + entry(CUBIN, 90, b"longer than its container"),
        container(entry(7, 90, b"strange.")),
        container(entry(CUBIN, 90, b"cut....."))[:-4],
        container(entry(CUBIN, 90, b"cut....."))[:12],
    ],
)
def test_an_unknown_layout_is_refused(library: bytes) -> None:
    with pytest.raises(PackError, match="without --architecture"):
        list(containers(library))
