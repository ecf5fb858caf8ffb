"""How many requests may wait: beyond that a prompt no is better than a long silence."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_triton.refusals import Unavailable


@dataclass(frozen=True, slots=True)
class Admission:
    """The bound on the requests that one instance of the model takes.

    An instance sees its own requests only. Triton hands them out evenly, so each instance of an
    engine answers for its share of the places, waiting or running.

    Attributes:
        running: how many requests the engine works on at once.
        queued: how many may wait beyond those; None is as many as come.
        instance: this one, from 0.
        instances: how many share the engine.
    """

    running: int
    queued: int | None
    instance: int = 0
    instances: int = 1

    def check(self, unfinished: int, answers: int = 1) -> None:
        """Let a request in, or not.

        Args:
            unfinished: requests of this instance that the engine has and has not finished.
            answers: places that the request takes: one for each of its n answers.

        Raises:
            Unavailable: when the queue is full, with its length and the limit.
        """
        if self.queued is None:
            return
        running, queued = self._share(self.running), self._share(self.queued)
        # A request of many answers may exceed what is there, but only alone.
        if unfinished and unfinished + answers > running + queued:
            waiting = max(0, unfinished - running)
            raise Unavailable(
                f"the queue is full: {waiting} requests wait for the {running} that run at once,"
                f" and max_queued_requests is {queued}{self._whose()}; try again later or elsewhere"
            )

    def _share(self, places: int) -> int:
        return places // self.instances + (self.instance < places % self.instances)

    def _whose(self) -> str:
        if self.instances == 1:
            return ""
        return f" (of {self.queued}, shared by {self.instances} instances)"
