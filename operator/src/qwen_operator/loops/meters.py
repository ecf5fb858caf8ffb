"""The operator's own metrics; every name is defined here, with its meaning."""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qwen_operator import __version__
from qwen_operator.facts import Progress
from qwen_operator.triton.metrics import Reading, Scraper

_START_SECONDS = (1, 2, 5, 10, 20, 40, 60, 120, 180, 300, 600, 1200, 1800, 3600, 7200)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meters:
    """All meters of one operator process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.passes = Histogram(
            "qwen_operator_reconcile_duration_seconds",
            "Duration of reconcile passes by outcome.",
            ["outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        # What appears with its first count has no increase, and an alert would miss it.
        for outcome in ("done", "postponed", "unreachable", "refused", "defect"):
            self.passes.labels(outcome=outcome)
        self.queued = self._gauge("queue_depth", "Resources that wait for a pass.")
        self.oldest = self._gauge(
            "queue_oldest_seconds", "How long the resource that waits longest has been due."
        )
        self.busy = self._gauge("workers_busy", "Passes under way.")
        self.leader = self._gauge("leader", "1 while this operator leads, else 0.")
        self.healthy = self._gauge("healthy", "1 while /healthz is content, else 0.")
        self.requests = Counter(
            "qwen_operator_api_requests_total",
            "Requests to the API server by verb, kind and HTTP status, 0 for no answer; watches"
            " are not counted.",
            ["verb", "kind", "code"],
            registry=self.registry,
        )
        self.scrapes = Histogram(
            "qwen_operator_scrape_duration_seconds",
            "Duration of reading one model pod's :8002.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.scrape_failures = Counter(
            "qwen_operator_scrape_failures_total",
            "Readings of model pods that gave no usable answer.",
            registry=self.registry,
        )
        self.scrape_cycle = Histogram(
            "qwen_operator_scrape_cycle_duration_seconds",
            "Duration of one round over all model pods.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.sweeps = Counter(
            "qwen_operator_sweeps_total",
            "Full listings by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("done", "failed"):
            self.sweeps.labels(outcome=outcome)
        self.starts = Histogram(
            "qwen_operator_time_to_ready_seconds",
            "How long pods took to become ready, by phase of their start.",
            ["phase"],
            buckets=_START_SECONDS,
            registry=self.registry,
        )
        for phase in ("scheduled", "pulled", "downloaded", "loaded", "ready"):
            self.starts.labels(phase=phase)
        self.watch_restarts = Counter(
            "qwen_operator_watch_restarts_total",
            "How often the watches had to be started again.",
            registry=self.registry,
        )
        self.last_event = self._gauge(
            "last_event_timestamp_seconds",
            "When a watch last delivered anything, unix seconds.",
        )
        build = Gauge(
            "qwen_operator_build_info",
            "1, labelled with the operator's version.",
            ["version"],
            registry=self.registry,
        )
        build.labels(version=__version__).set(1)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"qwen_operator_{name}", meaning, registry=self.registry)

    def requested(self, verb: str, kind: str, code: int) -> None:
        """Count one request to the API server."""
        self.requests.labels(verb=verb, kind=kind, code=str(code)).inc()

    def started(self, startup: Mapping[str, Any]) -> None:
        """Count one start, as the status tells of it."""
        for name, seconds in startup.items():
            if name.endswith("Seconds"):
                self.starts.labels(phase=name.removesuffix("Seconds")).observe(seconds)

    def count_resources(self, reasons: Callable[[], Iterator[str]]) -> None:
        """Show how many QwenDeployments there are by the reason of their Ready condition."""
        self.registry.register(_Resources(reasons))

    def show(self, collector: Collector) -> None:
        """Show what a collector knows, from now on."""
        self.registry.register(collector)


class _Resources(Collector):
    """Counted when asked: no gauge of a reason that has gone stays behind."""

    def __init__(self, reasons: Callable[[], Iterator[str]]) -> None:
        self._reasons = reasons

    def collect(self) -> Iterator[Metric]:
        found = GaugeMetricFamily(
            "qwen_operator_resources",
            "QwenDeployments by the reason of their Ready condition.",
            labels=["reason"],
        )
        for reason, count in sorted(Tally(self._reasons()).items()):
            found.add_metric([reason], count)
        yield found


class MeteredScraper:
    """`Scraper` that counts what another one does."""

    def __init__(self, scraper: Scraper, meters: Meters) -> None:
        self._scraper, self._meters = scraper, meters

    async def read(self, address: str) -> Reading | None:
        """See `Scraper`."""
        started = time.monotonic()
        reading = await self._scraper.read(address)
        self._meters.scrapes.observe(time.monotonic() - started)
        if reading is None:
            self._meters.scrape_failures.inc()
        return reading

    async def progress(self, address: str) -> Progress | None:
        """See `Scraper`."""
        return await self._scraper.progress(address)

    async def offers(self, address: str, model: str) -> bool | None:
        """See `Scraper`."""
        return await self._scraper.offers(address, model)
