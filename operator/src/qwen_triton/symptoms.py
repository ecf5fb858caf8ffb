"""What vLLM, torch, NCCL, the hub and Triton print when something is wrong, and what it means.

The one reader of both sides: the backend reads its console with it, and the operator, which carries
generated copies of this and of its table, the tail of a log where the backend left no account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_triton.symptom_table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qwen_triton.symptom_table import Remedy

_COLOUR = re.compile(r"\x1b?\[[0-9;]*m")
_PROGRESS = re.compile(r"(?<!=)\b(?:INFO|DEBUG)\b|^I\d{4} ")
_REFUSED = re.compile(r"validation errors? for \w+$")
_PREFIX = re.compile(
    r"^(?:\([^)]*\)\s*|\[rank\d+\]:\s*|\S+\s+\|\s+)*"
    r"(?:(?:ERROR|WARNING) [\d-]+ [\d:]+ (?:\[[^]]*\]|[\w.]+:\d+\]) ?)?"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a text says.

    Attributes:
        reason: name of one of the operator's reasons.
        message: the first line that says so, without its logger's prefix.
        log_line: the last line that says so, as it was printed.
        suggestion: what to do, where the line itself tells more than the reason does.
    """

    reason: str
    message: str
    log_line: str
    suggestion: str = ""


def telling(lines: Iterable[str]) -> list[str]:
    """Lines that may name a cause: neither empty nor a report of progress."""
    clean = (_COLOUR.sub("", line).strip() for line in lines)
    return [line for line in clean if line and not _PROGRESS.search(line)]


def unprefixed(line: str) -> str:
    """A line without what the logger put before it."""
    return _PREFIX.sub("", line).strip()


def diagnose(lines: Sequence[str]) -> Finding | None:
    """The most specific cause that the lines name, or None.

    Args:
        lines: from `telling`, oldest first.
    """
    for reason, words, remedy in _SYMPTOMS:
        hits = [(n, match) for n, line in enumerate(lines) if (match := words.search(line))]
        if hits:
            (first, match), last = hits[0], hits[-1][0]
            suggestion = remedy if isinstance(remedy, str) else remedy(match)
            return Finding(reason, _whole(lines, first), lines[last], suggestion)
    return None


def _whole(lines: Sequence[str], number: int) -> str:
    """A line for a person; pydantic tells the field and what is wrong in the two that follow."""
    told = unprefixed(lines[number])
    if not _REFUSED.search(told):
        return told
    more = [unprefixed(line).partition(" [type=")[0] for line in lines[number + 1 : number + 3]]
    return ": ".join([told, *(line for line in more if not line.startswith("For further"))])


_SYMPTOMS: tuple[tuple[str, re.Pattern[str], Remedy], ...] = tuple(
    (reason, re.compile(words), remedy) for reason, group in TABLE for words, remedy in group
)
REASONS = frozenset(reason for reason, _ in TABLE)
