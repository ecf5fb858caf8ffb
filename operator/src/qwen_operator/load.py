"""What engines do at a moment, read off the text of their :8002; pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

_RUNNING = "vllm:num_requests_running"
_WAITING = "vllm:num_requests_waiting"
_CACHE = "vllm:kv_cache_usage_perc"
_GENERATED = "vllm:generation_tokens_total"
_PROMPTED = "vllm:prompt_tokens_total"
_PREEMPTED = "vllm:num_preemptions_total"
_READ = (_RUNNING, _WAITING, _CACHE, _GENERATED, _PROMPTED, _PREEMPTED)
_MOST_LINES = 64


@dataclass(frozen=True, slots=True)
class Load:
    """What engines do at one moment, summed over pods.

    Attributes:
        running: requests that get tokens.
        waiting: requests that wait.
        cache: share of the KV cache in use, of the fullest engine; None where none tells.
        generated: tokens written since the engines started.
        prompted: tokens read since then.
        pods: that answered.
        preempted: requests that had to give their KV cache back, since then.
    """

    running: int = 0
    waiting: int = 0
    cache: float | None = None
    generated: float = 0.0
    prompted: float = 0.0
    pods: int = 0
    preempted: float = 0.0


def read_load(text: str) -> Load:
    """One pod's load from its metrics page; lines that are not understood count nothing."""
    # Triton writes counters without _total's family line; the parser wants none.
    ours = [line for line in text.splitlines() if line.startswith(_READ)]
    if len(ours) > _MOST_LINES:
        return Load()
    values: dict[str, float] = {}
    largest = None
    try:
        for family in text_string_to_metric_families("\n".join(ours) + "\n"):
            for sample in family.samples:
                if not math.isfinite(sample.value):
                    return Load()
                values[sample.name] = values.get(sample.name, 0.0) + sample.value
                if sample.name == _CACHE:
                    largest = max(largest or 0.0, sample.value)
    except ValueError:
        return Load()
    return Load(
        running=int(values.get(_RUNNING, 0)),
        waiting=int(values.get(_WAITING, 0)),
        cache=largest,
        generated=values.get(_GENERATED, 0.0),
        prompted=values.get(_PROMPTED, 0.0),
        preempted=values.get(_PREEMPTED, 0.0),
        pods=1,
    )


def together(loads: Iterable[Load]) -> Load:
    """The load of several pods."""
    found = list(loads)
    caches = [each.cache for each in found if each.cache is not None]
    return Load(
        running=sum(each.running for each in found),
        waiting=sum(each.waiting for each in found),
        cache=max(caches, default=None),
        generated=sum(each.generated for each in found),
        prompted=sum(each.prompted for each in found),
        preempted=sum(each.preempted for each in found),
        pods=sum(each.pods for each in found),
    )


def rates(before: Load | None, now: Load, seconds: float) -> tuple[float, float] | None:
    """Tokens read and written a second; None where an engine came, went or started anew."""
    if before is None or not now.pods or before.pods != now.pods or seconds <= 0:
        return None
    read, written = now.prompted - before.prompted, now.generated - before.generated
    return None if read < 0 or written < 0 else (read / seconds, written / seconds)
