"""Counts what was answered with an error, and whose fault it was.

vLLM does not see how these requests end, and Triton counts them as successes. The series stands
beside vLLM's own in prometheus_client's registry, and so is summed over instances as they are.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from qwen_triton.refusals import BadRequest, Cancelled, Refusal, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

SERIES = "qwen_requests_refused"
CAUSE_LABEL = "cause"
_MEANING = "Requests that were answered with an error, by cause"

_CAUSES: Mapping[type[Refusal], str] = {
    BadRequest: "bad_request",
    Unavailable: "unavailable",
    Cancelled: "cancelled",
    Refusal: "failed",
}


class Refused:
    """The counter of one instance; it counts nothing before it is opened."""

    def __init__(self) -> None:
        self._counter: Any = None

    def open(self) -> None:
        """Show every cause at 0: what appears with its first count has no rate."""
        # Comes with vllm; where it keeps values is settled when it is imported, after the engine.
        client = importlib.import_module("prometheus_client")
        self._counter = client.Counter(SERIES, _MEANING, [CAUSE_LABEL])
        for cause in _CAUSES.values():
            self._counter.labels(cause).inc(0)

    def count(self, refusal: Refusal) -> None:
        """One request got this for its last response."""
        if self._counter is not None:
            kinds = type(refusal).__mro__
            self._counter.labels(next(_CAUSES[kind] for kind in kinds if kind in _CAUSES)).inc()
