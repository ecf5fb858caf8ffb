from pathlib import Path

import pytest

from benchmarks.gpu.__main__ import main
from benchmarks.gpu.pack import lay_out_triton, prune


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_pruning_removes_files_and_the_folders_left_empty(tmp_path: Path) -> None:
    write(tmp_path, "numpy/core/tests/test_api.py", "numpy/core/api.py", "bin/vllm")

    removed = prune(tmp_path)

    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / "numpy/core/api.py"]
    assert not (tmp_path / "bin").exists()
    assert removed == len("numpy/core/tests/test_api.py" + "bin/vllm")


def test_triton_lies_as_it_looks_for_its_parts(tmp_path: Path) -> None:
    wheel, to = tmp_path / "wheel", tmp_path / "triton"
    server = "pytriton/tritonserver"
    write(
        wheel,
        f"{server}/bin/tritonserver",
        f"{server}/backends/python/libtriton_python.so",
        f"{server}/backends/python/triton_python_backend_utils.py",
        f"{server}/python_backend_stubs/3.11/triton_python_backend_stub",
        f"{server}/python_backend_stubs/3.12/triton_python_backend_stub",
        "nvidia_pytriton.libs/libtritonserver.so",
        "nvidia_pytriton.libs/libpython3-1.13.so.1.0",
    )

    lay_out_triton(wheel, to)

    assert sorted(p.relative_to(to).as_posix() for p in to.rglob("*") if p.is_file()) == [
        "backends/python/libtriton_python.so",
        "backends/python/triton_python_backend_stub",
        "backends/python/triton_python_backend_utils.py",
        "bin/tritonserver",
        "lib/libtritonserver.so",
    ]
    stub = to / "backends/python/triton_python_backend_stub"
    assert "3.12" in stub.read_text()
    assert stub.stat().st_mode & 0o111
    assert (to / "bin/tritonserver").stat().st_mode & 0o111


@pytest.mark.parametrize("size", ["0", "-1", "many"])
def test_a_chunk_size_that_is_none_is_refused(
    size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["pack", "--into", "/nowhere", f"--chunk-mib={size}"])

    assert "--chunk-mib" in (err := capsys.readouterr().err)
    assert size in err
