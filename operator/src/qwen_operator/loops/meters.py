"""The operator's own metrics; every name is defined here, with its meaning."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from qwen_operator import __version__

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meters:
    """All meters of one operator process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.passes = Histogram(
            "qwen_operator_reconcile_duration_seconds",
            "Duration of reconcile passes by outcome.",
            ["outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queued = Gauge(
            "qwen_operator_queue_depth",
            "Resources that wait for a pass.",
            registry=self.registry,
        )
        self.busy = Gauge(
            "qwen_operator_workers_busy",
            "Passes under way.",
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
        self.watch_restarts = Counter(
            "qwen_operator_watch_restarts_total",
            "How often the watches had to be started again.",
            registry=self.registry,
        )
        self.last_event = Gauge(
            "qwen_operator_last_event_timestamp_seconds",
            "When a watch last delivered anything, unix seconds.",
            registry=self.registry,
        )
        build = Gauge(
            "qwen_operator_build_info",
            "1, labelled with the operator's version.",
            ["version"],
            registry=self.registry,
        )
        build.labels(version=__version__).set(1)
