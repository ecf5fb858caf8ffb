"""One colour, one meaning, on every panel of every dashboard."""

from typing import Final

GOOD: Final = "#4C9F50"
WARN: Final = "#E8A317"
BAD: Final = "#D64045"
IDLE: Final = "#7B8794"
"""Neither good nor bad: suspended, unknown, a limit."""

TRAFFIC: Final = "#3B7DD8"
PROMPT: Final = "#3B7DD8"
GENERATED: Final = "#8E5BD0"
RUNNING: Final = "#4C9F50"
WAITING: Final = "#E8A317"
P50: Final = "#7FB2E5"
P95: Final = "#E8A317"
P99: Final = "#D64045"
COST: Final = "#2A9D8F"
