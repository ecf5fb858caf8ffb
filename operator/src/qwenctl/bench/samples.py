"""What one request showed its client, and what many of them amount to."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(slots=True)
class Sample:
    """One streamed answer; times are seconds on the machine's monotonic clock.

    Attributes:
        sent: when the request had been written.
        at: when each event of the answer arrived.
        error: what the server said instead of an answer.
    """

    sent: float
    at: array[float] = field(default_factory=lambda: array("d"))
    error: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of a time, in milliseconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One door at one level.

    Attributes:
        streams: how many answers were under way at a time.
        requests: how many were measured.
        tokens: how many tokens they hold.
        seconds: from the first request to the last event.
        events: pieces in which the answers came; fewer than tokens where they were merged.
        errors: requests without a whole answer.
        first: time to the first event.
        gap: time between two events of one answer.
        cpu: CPU seconds spent meanwhile, by kind of process.
        server: what the server told of itself meanwhile.
    """

    streams: int
    requests: int
    tokens: int
    seconds: float
    events: int
    errors: int
    first: Spread
    gap: Spread
    cpu: Mapping[str, float]
    server: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Tokens a second, all streams together."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def cpu_per_token(self) -> float:
        """CPU microseconds a token of the server's processes together."""
        return sum(self.cpu.values()) / self.tokens * 1e6 if self.tokens else 0.0

    @property
    def cpu_beside_engine(self) -> float:
        """CPU microseconds a token of all the server's processes but the engine's."""
        spent = sum(seconds for kind, seconds in self.cpu.items() if kind != "engine")
        return spent / self.tokens * 1e6 if self.tokens else 0.0


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of values in ascending order; not a number of none."""
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def spread(seconds: Iterable[float]) -> Spread:
    """Percentiles of seconds, in milliseconds."""
    ordered = sorted(seconds)
    return Spread(*(percentile(ordered, share) * 1e3 for share in (0.50, 0.95, 0.99)))


def figures(
    samples: Sequence[Sample], streams: int, tokens_each: int, cpu: Mapping[str, float]
) -> Figures:
    """What the samples of one level amount to."""
    whole = [sample for sample in samples if not sample.error and sample.at]
    return Figures(
        streams=streams,
        requests=len(samples),
        tokens=len(whole) * tokens_each,
        seconds=max(s.at[-1] for s in whole) - min(s.sent for s in whole) if whole else 0.0,
        events=sum(len(sample.at) for sample in whole),
        errors=len(samples) - len(whole),
        first=spread(sample.at[0] - sample.sent for sample in whole),
        gap=spread(
            later - earlier
            for sample in whole
            for earlier, later in zip(sample.at, sample.at[1:], strict=False)
        ),
        cpu=cpu,
    )
