"""Every QwenDeployment as series of the operator's /metrics, read off the store when asked.

The labels namespace and model are those of the model pods' own series, so both can be joined;
the suggestion is bounded in length and changes only when the status does.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qwen_operator.observe.sights import Sight, sights
from qwen_operator.observe.store import Store
from qwen_operator.status.reasons import BY_NAME

_SUGGESTION = 300
_WHO = ("namespace", "name", "model")

Sample = tuple[tuple[str, ...], float]


def _info(sight: Sight) -> Iterator[Sample]:
    source = str((sight.spec.get("model") or {}).get("source", ""))
    yield (*sight.who, source, str(sight.status.get("image", ""))), 1.0


def _is_ready(sight: Sight) -> Iterator[Sample]:
    yield sight.who, float(sight.ready.get("status") == "True")


def _since(sight: Sight) -> Iterator[Sample]:
    if moment := sight.ready.get("lastTransitionTime"):
        yield sight.who, datetime.fromisoformat(moment).timestamp()


def _reason(sight: Sight) -> Iterator[Sample]:
    reason = str(sight.ready.get("reason", "Unknown"))
    remedy = BY_NAME[reason].value.remedy if reason in BY_NAME else ""
    said = (sight.status.get("failure") or {}).get("suggestion")
    yield (*sight.who, reason, str(said or remedy)[:_SUGGESTION]), 1.0


def _wanted(sight: Sight) -> Iterator[Sample]:
    yield sight.who, float(sight.wanted)


def _serving(sight: Sight) -> Iterator[Sample]:
    yield sight.who, float(sight.status.get("readyReplicas") or 0)


def _gpus(sight: Sight) -> Iterator[Sample]:
    yield sight.who, float(sight.gpus)


def _startup(sight: Sight) -> Iterator[Sample]:
    for name, seconds in (sight.status.get("startup") or {}).items():
        if name.endswith("Seconds"):
            yield (*sight.who, name.removesuffix("Seconds")), float(seconds)


_GAUGES: tuple[tuple[str, str, tuple[str, ...], Callable[[Sight], Iterator[Sample]]], ...] = (
    (
        "info",
        "1, with where the model comes from and the image that serves it.",
        (*_WHO, "source", "image"),
        _info,
    ),
    ("ready", "1 while the QwenDeployment's Ready condition is True, else 0.", _WHO, _is_ready),
    (
        "ready_transition_timestamp_seconds",
        "When the Ready condition last changed between True and False, unix seconds.",
        _WHO,
        _since,
    ),
    (
        "reason",
        "1, with the reason of the Ready condition and what to do about it.",
        (*_WHO, "reason", "suggestion"),
        _reason,
    ),
    (
        "replicas_desired",
        "Pods that there should be, by the resource or its autoscaler.",
        _WHO,
        _wanted,
    ),
    ("replicas_ready", "Pods that answer requests, by the status.", _WHO, _serving),
    ("gpus", "GPUs that the existing pods ask for.", _WHO, _gpus),
    (
        "startup_seconds",
        "How long the pod that became ready last took, by phase of its start.",
        (*_WHO, "phase"),
        _startup,
    ),
)


class Fleet(Collector):
    """Collected when asked: nothing of a resource that is gone stays behind."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Every series of every resource."""
        seen = list(sights(self._store))
        for name, meaning, labels, read in _GAUGES:
            family = GaugeMetricFamily(f"qwen_operator_resource_{name}", meaning, labels=labels)
            for sight in seen:
                for values, value in read(sight):
                    family.add_metric(values, value)
            yield family
