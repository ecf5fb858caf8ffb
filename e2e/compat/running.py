"""Runs the backend's tests on a real Triton with a real engine of another vLLM."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.compat.environment import environment
from e2e.compat.results import Outcome
from e2e.compat.versions import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2e.compat.versions import Version

TESTS = "operator/tests/backend/real"
# Which series there are is a contract with the image's own vLLM.
_NOT_OF_OTHERS = ("test_contract.py",)


def run(version: Version | None, only: Sequence[str] = ()) -> dict[str, Outcome]:
    """Run all tests, or some of their files.

    Args:
        version: None is the image's own vLLM.
        only: files of the tests.

    Returns:
        What came out, by file.
    """
    given = dict(os.environ)
    if version is not None:
        given["QWEN_TRITON_VENV"] = str(environment(version))
    files = only or sorted(path.name for path in (ROOT / TESTS).glob("test_*.py"))
    paths = [f"{TESTS}/{name}" for name in files if version is None or name not in _NOT_OF_OTHERS]
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.xml"
        command = [sys.executable, "-m", "pytest", *paths, "-q", "--tb=short"]
        subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, env=given, check=False)
        return outcomes(report.read_text(encoding="utf-8"))


def outcomes(report: str) -> dict[str, Outcome]:
    """What came out, by file, of pytest's report in JUnit's form."""
    found: dict[str, Outcome] = {}
    # Written by our own pytest a moment ago.
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314
        file = case.get("classname", "").rpartition(".")[2]
        outcome = found.setdefault(file, Outcome())
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed.append(case.get("name", ""))
        elif case.find("skipped") is None:
            outcome.passed += 1
    return found
