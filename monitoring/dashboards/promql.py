"""PromQL as dashboards ask it: rates over Grafana's interval, quantiles, ratios without noise."""

from typing import Final

from monitoring.contract import BY_SERIES, METRICS, Type

INTERVAL: Final = "$__rate_interval"
_HISTOGRAMS: Final = {each.name for each in METRICS if each.type is Type.HISTOGRAM}


def rate(series: str, where: str, *, by: str = "") -> str:
    """Sum of a counter's rates a second.

    Raises:
        ValueError: the contract has no such series.
    """
    if series not in BY_SERIES:
        raise ValueError(f"the contract has no series {series}")
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({series}{{{where}}}[{INTERVAL}]))"


def quantile(share: float, histogram: str, where: str, *, by: str = "") -> str:
    """A quantile of a histogram over the interval.

    Raises:
        ValueError: the contract has no such histogram.
    """
    if histogram not in _HISTOGRAMS:
        raise ValueError(f"the contract has no histogram {histogram}")
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', where, by=labels)})"


def current(function: str, series: str, where: str, *, by: str = "") -> str:
    """A gauge summed, averaged, … over pods.

    Raises:
        ValueError: the contract has no such series.
    """
    if series not in BY_SERIES:
        raise ValueError(f"the contract has no series {series}")
    group = f" by ({by})" if by else ""
    return f"{function}{group} ({series}{{{where}}})"


def requests(where: str, *, by: str = "") -> str:
    """Requests a second that ended, well or by our fault."""
    ended = rate("vllm:request_success_total", where, by=by)
    return f"{ended} + {_lost(where, by)}"


def errors(where: str, *, by: str = "") -> str:
    """Requests a second that failed by our fault; 0 while there are none."""
    wrong = rate("vllm:request_success_total", f'{where},finished_reason="error"', by=by)
    return f"{wrong} + {_lost(where, by)}"


def error_ratio(where: str, *, by: str = "") -> str:
    """Share of requests that failed, 0 to 1; 0 while there are no requests."""
    return f"({errors(where, by=by)}) / clamp_min({requests(where, by=by)}, 0.001)"


def _lost(where: str, by: str) -> str:
    return rate("qwen_requests_refused_total", f'{where},cause=~"unavailable|failed"', by=by)
