"""What the streams ask: texts that no prefix cache has seen, the same for every door."""

from __future__ import annotations

import random

_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ne",
    "ru",
    "sa",
    "ti",
    "vo",
    "we",
    "yu",
    "zan",
    "pel",
    "dor",
    "bin",
)
WORDS = 32


def prompt(stream: int, turn: int, level: int) -> str:
    """A text of WORDS made-up words that begins like no other of the run."""
    choose = random.Random(f"{level}/{stream}/{turn}")  # noqa: S311  no secret
    words = ("".join(choose.choices(_SYLLABLES, k=choose.randint(1, 3))) for _ in range(WORDS))
    return f"{level} {stream} {turn} " + " ".join(words)
