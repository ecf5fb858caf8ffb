"""Whether Triton offers what an engine serves: /v2 of each pod, before it counts, then at times.

The heartbeat on :8002 comes from the backend. A user's request comes through Triton's own port,
and Triton may have unloaded the model, or not answer there at all.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from qwen_operator.facts import Engine
from qwen_operator.triton.metrics import Scraper

ASK_AGAIN_SECONDS = 60.0
"""After a good answer; after any other the next round asks again."""

Place = tuple[str, int]
"""A pod's uid and the restarts of its serving container."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is known of one pod.

    Attributes:
        engine: UP, NOT_OFFERED, CLOSED, or UNKNOWN before the first answer.
        asked: when, on our monotonic clock.
        answered: when Triton last answered at all; at first, when it was first asked.
    """

    engine: Engine
    asked: float
    answered: float


def judge_offer(before: Offer | None, offered: bool | None, moment: tuple[float, float]) -> Offer:  # noqa: FBT001 - an answer
    """Judge from the last state and a new answer, None for no usable one.

    Args:
        before: the last state, or None at first.
        offered: what Triton said.
        moment: now on our monotonic clock, and the seconds after which no answer is bad news.
    """
    now, patience = moment
    if offered is not None:
        return Offer(Engine.UP if offered else Engine.NOT_OFFERED, now, now)
    if before is None:
        return Offer(Engine.UNKNOWN, now, now)
    late = now - before.answered > patience
    return Offer(Engine.CLOSED if late else before.engine, now, before.answered)


class Offers:
    """Asks pods whose engines are up, and remembers what was said."""

    def __init__(self, scraper: Scraper, patience: float, clock: Callable[[], float]) -> None:
        self._scraper, self._patience, self._clock = scraper, patience, clock
        self._known: dict[Place, Offer] = {}
        self._sound: dict[Place, float] = {}

    def of(self, place: Place) -> Engine:
        """The judgement; UNKNOWN before the first question."""
        known = self._known.get(place)
        return Engine.UNKNOWN if known is None else known.engine

    def forget_all_but(self, alive: Collection[Place]) -> None:
        """Forget pods that are gone."""
        self._known = {place: each for place, each in self._known.items() if place in alive}
        self._sound = {place: each for place, each in self._sound.items() if place in alive}

    async def ask(self, place: Place, address: str, model: str) -> None:
        """Ask one pod, unless it gave a good answer a short while ago."""
        now = self._clock()
        if now - self._sound.get(place, -ASK_AGAIN_SECONDS) < ASK_AGAIN_SECONDS:
            return
        offered = await self._scraper.offers(address, model)
        moment = (self._clock(), self._patience)
        self._known[place] = judge_offer(self._known.get(place), offered, moment)
        if offered:
            self._sound[place] = now
        else:
            self._sound.pop(place, None)
