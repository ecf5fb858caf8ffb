"""The examination: which expected answers a model does not give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from e2e.tiny_qwen.school.answers import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from e2e.tiny_qwen.school.dialogues import Dialogue


def questions(expected: Mapping[str, Dialogue] = EXPECTED) -> dict[str, Dialogue]:
    """What is asked: each dialogue as it stands and, where no thought is expected, without any."""
    unthinking = {
        f"{name}, without thinking": replace(dialogue, thinking=False)
        for name, dialogue in expected.items()
        if dialogue.thinking is None and not dialogue.answer.startswith("<think>")
    }
    return {**expected, **unthinking}


def mistakes(
    answer: Callable[[Dialogue], str], asked: Mapping[str, Dialogue] | None = None
) -> list[str]:
    """A line for each wrong answer; empty when all are right, word for word."""
    found = []
    for name, dialogue in (asked or questions()).items():
        said = answer(dialogue)
        if said != dialogue.answer:
            found.append(f"{name}: expected {dialogue.answer!r}, it says {said!r}")
    return found
