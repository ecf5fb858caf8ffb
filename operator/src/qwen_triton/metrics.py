"""Series on :8002, once a second: ours about the engine, and vLLM's own under vLLM's names."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from qwen_triton.refused import CAUSE_LABEL, SERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwen_triton.liveness import Liveness

EVERY_SECONDS = 1.0

ENGINE_UP = "qwen_engine_up"
HEARTBEAT = "qwen_engine_heartbeat_timestamp_seconds"
ENGINE_INFO = "qwen_engine_info"
DOOR_UP = "qwen_openai_endpoint_up"

# Ours beside them; vLLM's names today, and the names that older versions have for the same thing.
MIRRORED: dict[str, str] = {
    name: name
    for name in (
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:kv_cache_usage_perc",
        "vllm:prompt_tokens",
        "vllm:generation_tokens",
        "vllm:request_success",
        "vllm:time_to_first_token_seconds",
        "vllm:inter_token_latency_seconds",
        "vllm:e2e_request_latency_seconds",
        "vllm:request_queue_time_seconds",
        "vllm:prefix_cache_queries",
        "vllm:prefix_cache_hits",
        "vllm:num_preemptions",
        SERIES,
    )
} | {
    "vllm:gpu_cache_usage_perc": "vllm:kv_cache_usage_perc",
    "vllm:gpu_prefix_cache_queries": "vllm:prefix_cache_queries",
    "vllm:gpu_prefix_cache_hits": "vllm:prefix_cache_hits",
    "vllm:time_per_output_token_seconds": "vllm:inter_token_latency_seconds",
}

# The only labels that say something which ours do not.
_KEPT_LABELS = ("le", "finished_reason", CAUSE_LABEL)


class Sample(Protocol):
    """One line of an exposition."""

    name: str
    labels: dict[str, str]
    value: float


class Family(Protocol):
    """One metric with its samples, as prometheus_client collects it."""

    name: str
    documentation: str
    type: str
    samples: list[Sample]


class Sink(Protocol):
    """Where series go."""

    def gauge(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """Set a gauge."""

    def counter(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """Bring a counter up to a value."""


def mirror(families: Iterable[Family], sink: Sink) -> None:
    """Copy vLLM's series; the engines of a data-parallel group become one sum.

    A histogram is copied line by line as counters: Triton's own histograms can only observe, and
    what Prometheus computes with are the names and labels, which stay the same.
    """
    collected = {family.name: family for family in families if family.name in MIRRORED}
    for family in collected.values():
        # Some versions count under both names, the old and the new.
        if MIRRORED[family.name] != family.name and MIRRORED[family.name] in collected:
            continue
        sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for sample in family.samples:
            if sample.name.endswith("_created"):
                continue
            name = sample.name.replace(family.name, MIRRORED[family.name], 1)
            labels = {key: sample.labels[key] for key in _KEPT_LABELS if key in sample.labels}
            key = (name, tuple(labels.items()))
            sums[key] = sums.get(key, 0.0) + sample.value
        update = sink.gauge if family.type == "gauge" else sink.counter
        for (name, labels_of), value in sums.items():
            update(name, family.documentation, value, **dict(labels_of))


class Reporter:
    """The thread that brings the series up to date."""

    def __init__(
        self, liveness: Liveness, sink: Sink, collect: Callable[[], Iterable[Family]], version: str
    ) -> None:
        self._liveness = liveness
        self._sink = sink
        self._collect = collect
        self._version = version
        self._stop = threading.Event()
        self._once = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Report from here on."""
        self._thread.start()

    def stop(self) -> None:
        """Report no more; a report that is under way is not waited for."""
        self._stop.set()

    def report(self) -> None:
        """Bring every series up to date once."""
        with self._once:
            alive = self._liveness.verdict().alive
            self._sink.gauge(ENGINE_UP, "1 while the engine can answer, 0 otherwise", float(alive))
            if alive:
                self._sink.gauge(
                    HEARTBEAT, "Unix time at which loop and engine were last alive", time.time()
                )
            self._sink.gauge(
                ENGINE_INFO, "1, with the engine's version", 1.0, vllm_version=self._version
            )
            mirror(self._collect(), self._sink)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.report()
