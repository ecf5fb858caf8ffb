"""Figures that depend on model, hardware and promise; each a value of the chart."""

from typing import Final

from monitoring.rules.types import Threshold

FIRST_TOKEN_P95: Final = Threshold(
    "firstTokenP95Seconds", 5, "seconds", "19 of 20 first tokens come within"
)
FIRST_TOKEN_P99: Final = Threshold(
    "firstTokenP99Seconds", 20, "seconds", "99 of 100 first tokens come within"
)
INTER_TOKEN_P95: Final = Threshold(
    "interTokenP95Seconds", 0.2, "seconds", "19 of 20 further tokens come within"
)
INTER_TOKEN_P99: Final = Threshold(
    "interTokenP99Seconds", 1, "seconds", "99 of 100 further tokens come within"
)
QUEUE_P95: Final = Threshold(
    "queueTimeP95Seconds", 5, "seconds", "19 of 20 requests get a place in the batch within"
)
ERROR_RATIO: Final = Threshold("errorRatio", 0.05, "0 to 1", "share of requests that may fail")
KV_CACHE: Final = Threshold("kvCacheUsage", 0.95, "0 to 1", "KV cache that may be in use for long")

THRESHOLDS: Final = (
    FIRST_TOKEN_P95,
    FIRST_TOKEN_P99,
    INTER_TOKEN_P95,
    INTER_TOKEN_P99,
    QUEUE_P95,
    ERROR_RATIO,
    KV_CACHE,
)
