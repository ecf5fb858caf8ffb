"""How long to wait after a failed pass: longer each time, capped, never in step with others."""

import random

from qwen_operator.naming import Key

_FIRST_SECONDS = 0.5
_MOST_SECONDS = 120.0
_MOST_DOUBLINGS = 12


class Backoff:
    """Failures in a row by key."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._failures: dict[Key, int] = {}

    def failed(self, key: Key, at_least: float | None = None) -> float:
        """Count a failure; return the seconds to wait, not less than the server asked for."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        ceiling = min(_MOST_SECONDS, _FIRST_SECONDS * float(1 << min(count, _MOST_DOUBLINGS)))
        # Half fixed, half by chance: spread, but never almost nothing.
        return max(at_least or 0.0, ceiling / 2 + self._chance.uniform(0, ceiling / 2))

    def passed(self, key: Key) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)
