"""Running qwenctl: in this process where nothing but its words counts, which takes milliseconds."""

import io
import os
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from qwenctl.__main__ import main

ROOT = Path(__file__).resolve().parents[4]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "operator" / "src")}
COMMAND = [sys.executable, "-m", "qwenctl"]


@dataclass(frozen=True)
class Done:
    """What came of a call."""

    code: int
    out: str
    err: str


def qwenctl(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Done:
    """Run it to its end, in the repository's root."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        chdir(ROOT),
        mock.patch.object(sys, "argv", ["qwenctl", *arguments]),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        mock.patch.dict(os.environ, env or {}),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())
