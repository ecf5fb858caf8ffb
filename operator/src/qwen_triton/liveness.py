"""Whether the model is alive, as one small value that threads share and /health reads."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from qwen_triton.settings import DEFAULT_SILENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The loop beats twice a second. Tokenizing a book blocks it for seconds; ten are no book any more.
STUCK_AFTER_SECONDS = 10.0

STUCK = "stuck"


class Phase(StrEnum):
    """Where the model is in its life."""

    STARTING = "starting"
    IMPORTING = "importing"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    WARMING = "warming"
    OPENING = "opening"
    SERVING = "serving"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is known at one moment; times are monotonic seconds.

    Attributes:
        phase: where the model is.
        reason: why it failed.
        beaten_at: when the loop last turned with a living engine.
        answered_at: when the engine last answered a call.
        silence: seconds for which it may answer none.
    """

    phase: Phase = Phase.STARTING
    reason: str = ""
    beaten_at: float = 0.0
    answered_at: float = 0.0
    silence: float = DEFAULT_SILENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether requests can be served now, and if not, why."""

    alive: bool
    status: str
    reason: str = ""


def verdict(pulse: Pulse, now: float) -> Verdict:
    """The verdict over a pulse at the monotonic time `now`."""
    match pulse.phase:
        case Phase.FAILED:
            return Verdict(alive=False, status="dead", reason=pulse.reason)
        case Phase.DRAINING:
            return Verdict(alive=False, status="draining", reason="the server is shutting down")
        case Phase.SERVING:
            return _serving(pulse, now)
        case Phase.STARTING | Phase.IMPORTING | Phase.DOWNLOADING:
            return Verdict(alive=False, status="loading")
        case Phase.LOADING | Phase.WARMING | Phase.OPENING:
            return Verdict(alive=False, status="loading")


def _serving(pulse: Pulse, now: float) -> Verdict:
    silent, still = now - pulse.answered_at, now - pulse.beaten_at
    if still > STUCK_AFTER_SECONDS:
        return Verdict(
            alive=False, status=STUCK, reason=f"the loop has not turned for {still:.0f} s"
        )
    if silent > pulse.silence:
        return Verdict(
            alive=False, status=STUCK, reason=f"the engine has not answered for {silent:.0f} s"
        )
    return Verdict(alive=True, status="ok")


class Liveness:
    """The pulse, written by whoever learns something and read by probes and gauges."""

    def __init__(self, silence: float = DEFAULT_SILENCE_SECONDS) -> None:
        self._lock = threading.Lock()
        self._pulse = Pulse(silence=silence)
        self._entered: dict[str, float] = {Phase.STARTING.value: time.time()}
        self.download: Callable[[], Mapping[str, int]] | None = None
        """How much of the weights is here; asked while they are downloaded."""

    @property
    def entered(self) -> Mapping[str, float]:
        """Phase → when it was entered, unix seconds."""
        return dict(self._entered)

    @property
    def pulse(self) -> Pulse:
        """What is known now."""
        return self._pulse

    def verdict(self) -> Verdict:
        """The verdict now."""
        return verdict(self._pulse, time.monotonic())

    def enter(self, phase: Phase) -> None:
        """The model has come to another phase; a failed one stays failed."""
        now = time.monotonic()
        with self._lock:
            if self._pulse.phase is not Phase.FAILED:
                self._pulse = Pulse(phase, "", now, now, self._pulse.silence)
                self._entered.setdefault(phase.value, time.time())

    def beat(self) -> None:
        """The loop turns and the engine's process lives."""
        with self._lock:
            self._pulse = replace(self._pulse, beaten_at=time.monotonic())

    def answer(self) -> None:
        """The engine has answered a call."""
        with self._lock:
            self._pulse = replace(self._pulse, answered_at=time.monotonic())

    def fail(self, reason: str) -> bool:
        """The model is dead and says why; the first reason stands.

        Returns:
            Whether this was news.
        """
        with self._lock:
            news = self._pulse.phase is not Phase.FAILED
            if news:
                self._pulse = replace(self._pulse, phase=Phase.FAILED, reason=reason)
        return news
