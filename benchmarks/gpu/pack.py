"""Downloads what travels, prunes it, lays out Triton, and cuts it all into chunks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.gpu.choice import (
    TRITON_WHEEL,
    WITH_DEBUG_SECTIONS,
    is_pruned,
    requirements,
    travelling,
)
from benchmarks.gpu.chunks import write_chunks
from benchmarks.gpu.errors import PackError
from benchmarks.gpu.fatbin import emptied

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements/gpu.txt"
MANIFEST = "manifest.json"
PYTHON = "3.12"
_PLATFORM = "x86_64-manylinux_2_35"
_GPU_CODE = "vllm/**/*.so"


def install(requirements_text: str, target: Path) -> None:
    """Unpack wheels for the GPU machine's Python into a folder, hashes checked.

    Raises:
        PackError: uv failed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write(requirements_text)
        listing.flush()
        command = [
            *(str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet"),
            *("--no-deps", "--only-binary", ":all:", "--require-hashes", "--link-mode", "copy"),
            *("--python-version", PYTHON, "--python-platform", _PLATFORM),
            *("--target", str(target), "-r", listing.name),
        ]
        if subprocess.run(command, check=False).returncode != 0:
            raise PackError(f"uv could not install into {target}; it said why above")


def prune(site: Path) -> int:
    """Remove the files that stay behind, and folders left empty; bytes removed."""
    removed = 0
    for path in sorted(site.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif is_pruned(path.relative_to(site).as_posix()):
            removed += path.stat().st_size
            path.unlink()
    return removed


def strip_debug_sections(site: Path) -> None:
    """Take the debug sections out of libraries that bring them.

    Raises:
        PackError: strip is missing or failed.
    """
    libraries = [str(path) for pattern in WITH_DEBUG_SECTIONS for path in site.glob(pattern)]
    if subprocess.run(["strip", "--strip-debug", *libraries], check=False).returncode != 0:
        raise PackError("strip failed; it said why above")


def empty_gpu_code(site: Path, architecture: int) -> None:
    """Zero vLLM's GPU code for other architectures."""
    for library in site.glob(_GPU_CODE):
        library.write_bytes(emptied(library.read_bytes(), architecture))


def lay_out_triton(wheel: Path, to: Path) -> None:
    """Move Triton's binaries out of the unpacked wheel, as `images/triton-cpu` lays them out.

    bin/tritonserver, lib/, backends/python/ with the stub of the GPU machine's Python.
    """
    source, backend = wheel / "pytriton/tritonserver", to / "backends/python"
    (to / "bin").mkdir(parents=True)
    backend.mkdir(parents=True)
    programs = {
        source / "bin/tritonserver": to / "bin/tritonserver",
        source / f"python_backend_stubs/{PYTHON}/triton_python_backend_stub": backend
        / "triton_python_backend_stub",
    }
    for program, place in programs.items():
        shutil.move(program, place)
        place.chmod(0o755)  # wheels lose the bit
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        shutil.move(source / "backends/python" / name, backend / name)
    shutil.move(wheel / "nvidia_pytriton.libs", to / "lib")
    for unused in (to / "lib").glob("libpython3*"):
        unused.unlink()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pack(into: Path, chunk_mib: int, architecture: int | None) -> dict[str, object]:
    """Fill a folder with chunks, their sums and a manifest.

    Args:
        into: The folder.
        chunk_mib: A chunk's size at most, in MiB.
        architecture: Leave GPU code for others out (90 for Hopper); none: keep all.

    Returns:
        The manifest: versions, sizes in bytes.

    Raises:
        PackError: The text says which step failed.
    """
    lock = LOCK.read_text()
    entries = requirements(lock)
    with tempfile.TemporaryDirectory(prefix="gpu-pack-") as name:
        content, wheel = Path(name) / "content", Path(name) / "wheel"
        site, triton = content / "site", content / "triton"
        chosen = travelling(lock)
        install(chosen, site)
        install(entries[TRITON_WHEEL], wheel)
        prune(site)
        strip_debug_sections(site)
        if architecture is not None:
            empty_gpu_code(site, architecture)
        lay_out_triton(wheel, triton)
        written = write_chunks(content, into, chunk_mib << 20)
        manifest: dict[str, object] = {
            "python": PYTHON,
            "architecture": architecture,
            "packages": [
                text.split(maxsplit=1)[0]
                for text in (*requirements(chosen).values(), entries[TRITON_WHEEL])
            ],
            "bytes": {"site": _size(site), "triton": _size(triton)},
            "chunks": {chunk: length for chunk, (length, _) in written.items()},
        }
    (into / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest
