"""Putting the table into the documentation, between two marks."""

import os
from pathlib import Path

_BEGIN = "<!-- bench-scale: written by make bench-scale -->"
_END = "<!-- bench-scale: end -->"


def hardware() -> str:
    """The machine in words: cores, processor, memory."""
    processor = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({processor}), {size:.0f} GiB, shared with the API server"


def write(document: Path, title: str, table: str) -> None:
    """Replace what stands between the marks.

    Raises:
        ValueError: the marks are not there.
    """
    text = document.read_text(encoding="utf-8")
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{document} lacks the marks of this table")
    document.write_text(f"{head}{_BEGIN}\n{title}.\n\n{table}\n{_END}{tail}", encoding="utf-8")
