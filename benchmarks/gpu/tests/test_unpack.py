import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.gpu.chunks import SUMS, write_chunks

UNPACK = Path(__file__).parents[1] / "unpack.sh"


@dataclass
class Machine:
    chunks: Path
    dest: Path
    python: Path

    def unpack(self, chunks: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [UNPACK, chunks or self.chunks, self.dest],
            env={**os.environ, "PYTHON": str(self.python)},
            capture_output=True,
            text=True,
            check=False,
        )

    def carry(self, folder: Path, chunk: str) -> Path:
        folder.mkdir()
        for name in (SUMS, chunk):
            shutil.copyfile(self.chunks / name, folder / name)
        return folder


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    content = tmp_path / "content"
    (content / "site").mkdir(parents=True)
    (content / "site/carried.py").write_text("here = True\n")
    (content / "site/pytest.py").write_text("ours = True\n")
    (content / "site/sklearn.py").write_text("")
    (content / "site/incompressible").write_bytes(os.urandom(1500))
    (content / "triton/lib").mkdir(parents=True)
    (content / "triton/bin").mkdir()
    (content / "triton/bin/tritonserver").write_text("#!/bin/sh\n")
    (content / "triton/bin/tritonserver").chmod(0o755)
    write_chunks(content, tmp_path / "chunks", 1000)
    # Whatever Python runs this test says that it is the one that the packages are for.
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *version_info*) echo 3.12;; '
        f'*) exec {sys.executable} "$@";; esac\n'
    )
    python.chmod(0o755)
    return Machine(tmp_path / "chunks", tmp_path / "dest", python)


def ask(machine: Machine, program: str) -> str:
    script = f". {machine.dest}/env.sh && python3 -c '{program}'"
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_chunks_may_come_one_at_a_time(machine: Machine, tmp_path: Path) -> None:
    first = machine.unpack(machine.carry(tmp_path / "first", "chunk-ab"))

    assert first.returncode == 0
    assert "still to come: chunk-aa" in first.stdout
    assert not (machine.dest / "env.sh").exists()

    second = machine.unpack(machine.carry(tmp_path / "second", "chunk-aa"))

    assert second.returncode == 0, second.stderr
    assert (machine.dest / "env.sh").exists()


def test_the_venv_sees_what_was_carried_before_what_the_machine_has(machine: Machine) -> None:
    machine.unpack()

    assert ask(machine, "import carried, pytest; print(carried.here, pytest.ours)") == "True True"
    assert ask(machine, "import hypothesis.version; print(1)") == "1"


def test_packages_that_break_under_the_carried_numpy_are_as_if_not_installed(
    machine: Machine,
) -> None:
    machine.unpack()

    found = ask(
        machine, 'from importlib.util import find_spec as f; print(f("sklearn"), f("os.path"))'
    )

    assert found.startswith("None ModuleSpec")


def test_versions_of_the_machines_packages_are_found(machine: Machine) -> None:
    machine.unpack()

    assert ask(machine, 'from importlib.metadata import version; print(version("hypothesis"))')


def test_a_second_call_does_nothing(machine: Machine) -> None:
    machine.unpack()
    (machine.dest / "site/carried.py").write_text("here = 'changed'\n")

    assert "already" in machine.unpack().stdout
    assert (machine.dest / "site/carried.py").read_text() == "here = 'changed'\n"


def test_a_damaged_chunk_is_refused(machine: Machine) -> None:
    (machine.chunks / "chunk-ab").write_text("damaged")

    refused = machine.unpack()

    assert refused.returncode == 1
    assert "chunk-ab is not what was packed" in refused.stderr


def test_another_python_is_refused(machine: Machine) -> None:
    machine.python.write_text("#!/bin/sh\necho 3.10\n")

    refused = machine.unpack()

    assert refused.returncode == 1
    assert "Python 3.10" in refused.stderr
    assert "set PYTHON" in refused.stderr


def test_a_folder_without_sums_is_refused(machine: Machine, tmp_path: Path) -> None:
    refused = machine.unpack(tmp_path)

    assert refused.returncode == 1
    assert "no SHA256SUMS" in refused.stderr
