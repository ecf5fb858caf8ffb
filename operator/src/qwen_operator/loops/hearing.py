"""Whether this operator still hears and works: what /healthz is about."""

DEAF_SWEEPS = 2
"""Sweeps in a row that found changes which no watch had told of."""

STUCK_SECONDS = 600.0
"""How long a resource may be due without a worker taking it."""


class Hearing:
    """Compares what sweeps find with what watches tell."""

    def __init__(self) -> None:
        self._events = 0
        self._before_sweep = 0
        self._missed = 0

    def heard(self) -> None:
        """A watch delivered something."""
        self._events += 1

    def swept(self, changes: int) -> None:
        """A sweep found so many resources changed that watches had not told of."""
        silent = self._events == self._before_sweep
        self._missed = self._missed + 1 if changes and silent else 0
        self._before_sweep = self._events

    def complaint(self, oldest: float) -> str | None:
        """What is wrong, or None.

        Args:
            oldest: how long the queue's oldest key has been due, in seconds.
        """
        if self._missed >= DEAF_SWEEPS:
            return f"the watches are deaf: {self._missed} sweeps found changes that none told of"
        if oldest > STUCK_SECONDS:
            return f"nothing is worked on: a resource has been due for {oldest:.0f} s"
        return None
