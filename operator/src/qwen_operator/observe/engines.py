"""The engines' signs of life: every pod's :8002, read in turn, judged over time."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator import naming
from qwen_operator.facts import Engine, is_ready
from qwen_operator.triton.metrics import Reading, Scraper

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is known of one engine.

    Attributes:
        engine: the judgement.
        heartbeat: the last one read, on the pod's clock.
        advanced: when it was last seen to advance, on our monotonic clock.
        answered: when :8002 last gave a usable answer, on our monotonic clock.
    """

    engine: Engine
    heartbeat: float
    advanced: float
    answered: float


def judge(before: Pulse | None, reading: Reading | None, moment: tuple[float, float]) -> Pulse:
    """Judge one engine from its last state and a new reading.

    Clocks of pods are not ours: a heartbeat is fresh when it advances between readings, not when
    it is near our time. A single reading therefore counts as fresh until the next.

    Args:
        before: the last state, or None at first.
        reading: what :8002 said, or None where it gave no usable answer.
        moment: now on our monotonic clock, and the seconds after which no news is bad news.
    """
    now, patience = moment
    if reading is None:
        if before is None:
            return Pulse(Engine.UNKNOWN, 0, now, now)
        late = now - before.answered > patience
        engine = Engine.UNREACHABLE if late else before.engine
        return Pulse(engine, before.heartbeat, before.advanced, before.answered)
    if before is None or reading.heartbeat != before.heartbeat or before.engine is Engine.UNKNOWN:
        advanced = now
    else:
        advanced = before.advanced
    if not reading.up:
        engine = Engine.DOWN
    else:
        engine = Engine.STALE if now - advanced > patience else Engine.UP
    return Pulse(engine, reading.heartbeat, advanced, now)


def _address(pod: Mapping[str, Any]) -> str | None:
    """The pod's IP, while its serving container runs."""
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp") or not status.get("podIP"):
        return None
    for each in status.get("containerStatuses") or ():
        if each.get("name") == naming.CONTAINER and "running" in (each.get("state") or {}):
            return str(status["podIP"])
    return None


def _incarnation(pod: Mapping[str, Any]) -> tuple[str, int]:
    """A pod's uid and restart count: a restarted container is another engine."""
    restarts = 0
    for each in pod.get("status", {}).get("containerStatuses") or ():
        if each.get("name") == naming.CONTAINER:
            restarts = int(each.get("restartCount") or 0)
    return pod["metadata"]["uid"], restarts


class Engines:
    """Reads every pod's :8002 with bounded concurrency and remembers the judgements."""

    def __init__(self, scraper: Scraper, concurrency: int, patience: float, clock: Clock) -> None:
        self._scraper = scraper
        self._bound = asyncio.Semaphore(concurrency)
        self._patience = patience
        self._clock = clock
        self._pulses: dict[tuple[str, int], Pulse] = {}

    def of(self, pods: list[dict[str, Any]]) -> dict[str, Engine]:
        """Pod uid → judgement."""
        found = {}
        for pod in pods:
            pulse = self._pulses.get(_incarnation(pod))
            if pulse is not None and _address(pod) is not None:
                found[pod["metadata"]["uid"]] = pulse.engine
        return found

    def forget_all_but(self, pods: list[dict[str, Any]]) -> None:
        """Forget the engines of pods that are gone."""
        alive = {_incarnation(pod) for pod in pods}
        self._pulses = {place: pulse for place, pulse in self._pulses.items() if place in alive}

    async def read(self, pod: Mapping[str, Any]) -> bool:
        """Read one pod now; return whether the judgement changed."""
        address = _address(pod)
        if address is None:
            return False
        async with self._bound:
            reading = await self._scraper.read(address)
        place = _incarnation(pod)
        before = self._pulses.get(place)
        # Triton opens :8002 last: silence is news only once kubelet calls the pod ready.
        loads = before is not None and before.engine is Engine.UNKNOWN and not is_ready(pod)
        after = judge(None if loads else before, reading, (self._clock(), self._patience))
        self._pulses[place] = after
        return before is None or before.engine is not after.engine
