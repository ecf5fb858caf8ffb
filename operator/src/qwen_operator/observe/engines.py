"""The engines' signs of life: every pod's :8002, read in turn, judged over time, and its /v2."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from qwen_operator import naming
from qwen_operator.facts import Engine, Progress, is_ready
from qwen_operator.load import Load, rates
from qwen_operator.observe.offers import Offers
from qwen_operator.triton.metrics import Reading, Scraper

Clock = Callable[[], float]

_MOST_QUESTIONS = 3
"""How often a pod that serves is asked about its start: an older backend has no answer."""
_LEAST_SECONDS = 2.0

_LONGEST_NAME = 253
"""Of a model that was made from a QwenDeployment."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is known of one engine.

    Attributes:
        engine: the judgement.
        heartbeat: the last one read, on the pod's clock.
        advanced: when it was last seen to advance, on our monotonic clock.
        answered: when :8002 last gave a usable answer, on our monotonic clock.
        models: whom that answer spoke of.
        has_door: whether it knew of an OpenAI endpoint.
    """

    engine: Engine
    heartbeat: float
    advanced: float
    answered: float
    models: frozenset[str] = frozenset()
    has_door: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """What one engine does.

    Attributes:
        load: by the last reading that told.
        at: when that was, by the heartbeat of the same page, on the pod's clock.
        rates: tokens read and written a second since the reading before; None where that says
            nothing.
    """

    load: Load
    at: float
    rates: tuple[float, float] | None = None


def paced(before: Pace | None, load: Load, heartbeat: float) -> Pace:
    """One engine's pace from its last and a new reading.

    The backend writes heartbeat and counters together, so between two heartbeats lies exactly the
    time in which the tokens came. A pod is read twice in a moment when it becomes ready: over
    less than two seconds a rate says nothing, and the older pace stays.
    """
    if before is None or heartbeat < before.at:
        return Pace(load, heartbeat)
    seconds = heartbeat - before.at
    if seconds < _LEAST_SECONDS:
        return before
    return Pace(load, heartbeat, rates(before.load, load, seconds))


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
        return replace(before, engine=engine)
    if before is None or reading.heartbeat != before.heartbeat or before.engine is Engine.UNKNOWN:
        advanced = now
    else:
        advanced = before.advanced
    if not reading.up:
        engine = Engine.DOWN
    else:
        engine = Engine.STALE if now - advanced > patience else Engine.UP
    return Pulse(engine, reading.heartbeat, advanced, now, reading.models, reading.has_door)


def address_of(pod: Mapping[str, Any]) -> str | None:
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


def _model_to_ask_for(pod: Mapping[str, Any], pulse: Pulse) -> str | None:
    """What Triton is to be asked for: where a request would be sent, and it would be answered."""
    if pulse.engine is not Engine.UP or not is_ready(pod) or len(pulse.models) != 1:
        return None
    (model,) = pulse.models
    return model if len(model) <= _LONGEST_NAME else None


class Engines:
    """Reads every pod's :8002 with bounded concurrency and remembers the judgements."""

    def __init__(self, scraper: Scraper, concurrency: int, patience: float, clock: Clock) -> None:
        self._scraper = scraper
        self._bound = asyncio.Semaphore(concurrency)
        self._patience = patience
        self._clock = clock
        self._pulses: dict[tuple[str, int], Pulse] = {}
        self._progress: dict[tuple[str, int], Progress] = {}
        self._unanswered: Counter[tuple[str, int]] = Counter()
        self._paces: dict[tuple[str, int], Pace] = {}
        self._offers = Offers(scraper, patience, clock)

    def of(self, pods: list[dict[str, Any]], model: str | None = None) -> dict[str, Engine]:
        """Pod uid → judgement.

        Args:
            pods: of one resource.
            model: what they serve; who speaks of another one is somebody else at their address.
        """
        found = {}
        for pod in pods:
            pulse = self._pulses.get(_incarnation(pod))
            if pulse is not None and address_of(pod) is not None:
                is_foreign = model is not None and bool(pulse.models - {model})
                engine = Engine.FOREIGN if is_foreign else self._judged(pod, pulse)
                found[pod["metadata"]["uid"]] = engine
        return found

    def _judged(self, pod: Mapping[str, Any], pulse: Pulse) -> Engine:
        """What an engine that is up is worth depends on what Triton says of it."""
        if _model_to_ask_for(pod, pulse) is None:
            return pulse.engine
        return self._offers.of(_incarnation(pod))

    def has_door(self, pod: Mapping[str, Any]) -> bool:
        """Whether a pod has OpenAI's endpoint, or nothing is known of that."""
        pulse = self._pulses.get(_incarnation(pod))
        return pulse is None or pulse.has_door

    def progress_of(self, pod: Mapping[str, Any]) -> Progress | None:
        """How far the present start of a pod is, where that is known."""
        return self._progress.get(_incarnation(pod))

    def pace(self, pod: Mapping[str, Any]) -> Pace | None:
        """What a pod's engine does; None where no reading told."""
        return self._paces.get(_incarnation(pod))

    def forget_all_but(self, pods: list[dict[str, Any]]) -> None:
        """Forget the engines of pods that are gone."""
        alive = {_incarnation(pod) for pod in pods}
        self._pulses = {place: pulse for place, pulse in self._pulses.items() if place in alive}
        self._progress = {place: each for place, each in self._progress.items() if place in alive}
        for place in self._unanswered.keys() - alive:
            del self._unanswered[place]
        self._paces = {place: pace for place, pace in self._paces.items() if place in alive}
        self._offers.forget_all_but(alive)

    async def read(self, pod: Mapping[str, Any]) -> bool:
        """Read one pod now; return whether the judgement changed."""
        address = address_of(pod)
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
        if reading is not None and reading.load is not None:
            paced_before = self._paces.get(place)
            self._paces[place] = paced(paced_before, reading.load, reading.heartbeat)
        told = None if before is None else self._judged(pod, before)
        if (model := _model_to_ask_for(pod, after)) is not None:
            async with self._bound:
                await self._offers.ask(place, address, model)
        news = told is not self._judged(pod, after)
        news = news or (before is not None and before.has_door != after.has_door)
        if reading is None and not is_ready(pod):
            news = await self._ask(place, address) or news
        return news

    async def learn(self, pod: Mapping[str, Any]) -> None:
        """Ask a pod that serves how its start went, unless that is known, or it does not tell."""
        address, place = address_of(pod), _incarnation(pod)
        known = self._progress.get(place)
        if address is None or (known is not None and known.is_complete):
            return
        if self._unanswered[place] < _MOST_QUESTIONS:
            await self._ask(place, address)

    async def _ask(self, place: tuple[str, int], address: str) -> bool:
        """Ask how far a start is; return whether another phase is told, or a good part more."""
        async with self._bound:
            found = await self._scraper.progress(address)
        if found is None:
            self._unanswered[place] += 1
            return False
        before = self._progress.get(place)
        self._progress[place] = found
        if before is None or before.phase != found.phase:
            return True
        return before.milestone != found.milestone
