import hashlib
import io
import lzma
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from benchmarks.gpu.chunks import chunk_name, cut, write_chunks
from benchmarks.gpu.errors import PackError


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    (folder / "site").mkdir(parents=True)
    (folder / "site/module.py").write_text("x = 1\n")
    (folder / "site/incompressible").write_bytes(hashlib.shake_128().digest(5000))
    return folder


def test_names_count_up_in_a_shells_order() -> None:
    names = [chunk_name(index) for index in range(60)]

    assert names[:2] == ["chunk-aa", "chunk-ab"]
    assert names == sorted(names)


def test_more_chunks_than_names_are_refused() -> None:
    with pytest.raises(PackError, match="chunk-mib"):
        chunk_name(26 * 26)


@pytest.mark.parametrize(("length", "lengths"), [(7, [7]), (10, [10]), (11, [10, 1]), (0, [])])
def test_a_stream_is_cut_at_the_size(tmp_path: Path, length: int, lengths: list[int]) -> None:
    written = cut(io.BytesIO(b"z" * length), tmp_path, 10)

    assert [size for size, _ in written.values()] == lengths
    assert sorted(path.name for path in tmp_path.iterdir()) == list(written)


def test_chunks_join_to_an_archive_of_the_folder(content: Path, tmp_path: Path) -> None:
    into = tmp_path / "chunks"

    written = write_chunks(content, into, 1000)

    joined = lzma.decompress(b"".join((into / name).read_bytes() for name in written))
    with tarfile.open(fileobj=io.BytesIO(joined)) as archive:
        module = archive.extractfile("./site/module.py")
        assert module is not None
        assert module.read() == b"x = 1\n"
    assert len(written) > 1


def test_the_sums_are_those_of_the_chunks(content: Path, tmp_path: Path) -> None:
    write_chunks(content, tmp_path / "chunks", 1000)

    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / "chunks", check=True
    )


def test_the_same_files_give_the_same_chunks(content: Path, tmp_path: Path) -> None:
    first = write_chunks(content, tmp_path / "first", 1000)
    os.utime(content / "site/module.py", (1, 1))

    assert write_chunks(content, tmp_path / "second", 1000) == first


def test_chunks_of_an_earlier_pack_are_gone(content: Path, tmp_path: Path) -> None:
    (tmp_path / "chunk-zz").write_text("old")

    write_chunks(content, tmp_path, 1 << 20)

    assert [path.name for path in tmp_path.glob("chunk-*")] == ["chunk-aa"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="tar failed"):
        write_chunks(tmp_path / "nothing", tmp_path / "chunks", 1000)
