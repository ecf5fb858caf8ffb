"""How long after one request another was answered."""

from e2e.bench_scale.audit import Request


def lags(causes: list[Request], effects: list[Request]) -> list[float]:
    """Seconds from each cause's receipt to the end of the first effect of that name after it."""
    found = []
    for cause in causes:
        later = (
            each.completed
            for each in effects
            if each.name == cause.name and each.completed > cause.received
        )
        if (first := min(later, default=None)) is not None:
            found.append(first - cause.received)
    return found


def good(requests: list[Request]) -> list[Request]:
    """Those that were done."""
    return [each for each in requests if each.code < 300]  # noqa: PLR2004 - HTTP's success


def of(requests: list[Request], verb: str, resource: str) -> list[Request]:
    """Those that were done to a resource."""
    return [each for each in good(requests) if (each.verb, each.resource) == (verb, resource)]
