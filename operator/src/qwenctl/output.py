"""Writing: tables for a person, JSON or YAML for a program; colour only on a terminal."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from io import StringIO
from typing import Annotated, Any, TextIO

import typer
import yaml
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from qwenctl.exits import Exit

_YAML_WIDTH = 100
_ENDLESS = 10_000
"""Columns where no terminal limits them: what a program reads stands on one line."""


class Format(StrEnum):
    """How an answer is written."""

    table = "table"
    json = "json"
    yaml = "yaml"


Output = Annotated[
    Format, typer.Option("--output", "-o", help="How to write the answer.", show_choices=True)
]


def gone(stream: TextIO) -> SystemExit:
    """The reader left: nothing more is written, so that Python's last flush cannot fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    return SystemExit(Exit.BROKEN_PIPE)


def write(text: str) -> None:
    """Write to standard output at once.

    Raises:
        SystemExit: with Exit.BROKEN_PIPE, where nobody reads it.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise gone(sys.stdout) from None


def document(value: Any, form: Format) -> str:  # noqa: ANN401 - any JSON value
    """A value as JSON or YAML."""
    if form is Format.json:
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_YAML_WIDTH)


def rendered(parts: Iterable[RenderableType]) -> str:
    """What a person sees: coloured on a terminal, unless NO_COLOR is set."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = None if sys.stdout.isatty() else _ENDLESS
    target = StringIO()
    console = Console(
        file=target,
        force_terminal=coloured,
        no_color=not coloured,
        color_system="standard" if coloured else None,
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for each in parts:
        console.print(each, soft_wrap=isinstance(each, str | Text))
    return "".join(f"{line.rstrip()}\n" for line in target.getvalue().splitlines())


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table without lines, as kubectl draws them."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def say(value: Any, form: Format, parts: Iterable[RenderableType]) -> None:  # noqa: ANN401
    """Write an answer: `parts` as a table, otherwise `value`."""
    write(rendered(parts) if form is Format.table else document(value, form))


def complain(text: str) -> None:
    """Write to standard error.

    Raises:
        SystemExit: with Exit.BROKEN_PIPE, where nobody reads it.
    """
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        raise gone(sys.stderr) from None
