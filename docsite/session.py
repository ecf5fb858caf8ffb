"""A shell that a reader types a page's blocks into, one after the other."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from docsite.blocks import ROOT, Block
from docsite.console import shown

_GIVEN = re.compile(r"^export (\w+)=", re.MULTILINE)
_PROGRAMS = ".bin"


class FailedError(Exception):
    """A command of a page did not do what the page says; the text has its output."""


@dataclass(slots=True)
class Session:
    """A shell that a reader types a page's blocks into.

    Attributes:
        folder: where it works, with all of the repository in it, and keeps what was exported.
        own: the reader's own values, which replace a block that only names placeholders.
        environment: of the reader's machine, where it is not this one's.
    """

    folder: Path
    own: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # What a command leaves behind does not belong into the repository.
        for each in ROOT.iterdir():
            if not each.name.startswith("."):
                (self.folder / each.name).symlink_to(each)
        program = self.folder / _PROGRAMS / "qwenctl"
        program.parent.mkdir()
        source = ROOT / "operator" / "src"
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH="{source}" exec "{sys.executable}" -m qwenctl "$@"\n'
        )
        program.chmod(0o755)

    @property
    def _state(self) -> Path:
        return self.folder / ".exported.sh"

    def _placeholders(self, text: str) -> str | None:
        names = _GIVEN.findall(text)
        if not names or len(names) != len(text.splitlines()) or "example.com" not in text:
            return None
        if set(names) != set(self.own):
            raise FailedError(f"the page asks for {names}, the test has {sorted(self.own)}")
        return "".join(f"export {name}='{value}'\n" for name, value in self.own.items())

    def _run(self, script: str, seconds: float) -> subprocess.CompletedProcess[str]:
        before = f". {self._state}\n" if self._state.exists() else ""
        programs = f"{self.folder / _PROGRAMS}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{before}{script}"],
            cwd=self.folder,
            env={**os.environ, **self.environment, "PATH": programs},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )

    def type(self, text: str, seconds: float = 580) -> str:
        """Run commands; what they printed.

        Raises:
            FailedError: a command failed.
        """
        done = self._run(
            f"{self._placeholders(text) or text}\nexport -p > {self._state}\n", seconds
        )
        if done.returncode:
            raise FailedError(f"{text}\nended with {done.returncode}:\n{done.stdout[-3000:]}")
        return done.stdout

    def show(self, text: str, seconds: float = 60) -> None:
        """Run the commands of a `console` block, whatever they end with, and look at the output.

        Raises:
            FailedError: a command prints something else than the page shows.
        """
        for each in shown(text):
            said = self._run(each.command, seconds).stdout
            if not each.matches(said):
                raise FailedError(f"{each.command} prints\n{said}\nand not\n{each.printed}")

    def read(self, block: Block) -> str:
        """Do with a block what its page asks for; what commands printed.

        Raises:
            FailedError: it does not do what the page says.
        """
        if block.file:
            (self.folder / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "console":
            self.show(block.text)
            return ""
        return self.type(block.text) if block.language == "sh" else ""
