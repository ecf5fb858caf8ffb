"""One scrape of one pod's :8002: bounded in time and size, never beyond the pod's own address."""

import ipaddress
import math
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from qwen_operator.naming import HEARTBEAT_METRIC, METRICS_PORT, UP_METRIC

_MOST_BYTES = 4 * 1024 * 1024
_MOST_LINES = 64
_OK = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pod's :8002 said.

    Attributes:
        up: the backend reports its engine alive.
        heartbeat: the backend's clock at its last sign of life, unix seconds.
    """

    up: bool
    heartbeat: float


class Scraper(Protocol):
    """Reads one pod; the seam at which unit tests end."""

    async def read(self, address: str) -> Reading | None:
        """The reading, or None where there is no usable answer."""
        ...


def parse(text: str) -> Reading | None:
    """Find our two gauges in an exposition; None unless both are there, once and sane.

    Lines of other metrics are not even parsed: a page of a million series costs one pass.
    """
    ours = [line for line in text.splitlines() if line.startswith((UP_METRIC, HEARTBEAT_METRIC))]
    if not ours or len(ours) > _MOST_LINES:
        return None
    values: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families("\n".join(ours) + "\n"):
            for sample in family.samples:
                if not math.isfinite(sample.value):
                    return None
                # Several instances: the engine is as alive as the worst of them.
                values[sample.name] = min(values.get(sample.name, math.inf), sample.value)
    except ValueError:
        return None
    up, heartbeat = values.get(UP_METRIC), values.get(HEARTBEAT_METRIC)
    if up is None or heartbeat is None:
        return None
    return Reading(up=up == 1, heartbeat=heartbeat)


class HttpScraper:
    """Reads pods over HTTP."""

    def __init__(
        self, session: aiohttp.ClientSession, timeout_seconds: float, *, port: int = METRICS_PORT
    ) -> None:
        self._session, self._port = session, port
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def read(self, address: str) -> Reading | None:
        """See `Scraper`; `address` is the pod's IP as kubelet reported it."""
        try:
            host = ipaddress.ip_address(address)
        except ValueError:
            return None
        literal = f"[{host}]" if host.version == 6 else str(host)  # noqa: PLR2004 - IP version 6
        url = f"http://{literal}:{self._port}/metrics"
        try:
            async with self._session.get(
                url, timeout=self._timeout, allow_redirects=False
            ) as answer:
                if answer.status != _OK:
                    return None
                body = await answer.content.read(_MOST_BYTES + 1)
                while len(body) <= _MOST_BYTES and not answer.content.at_eof():
                    body += await answer.content.read(_MOST_BYTES + 1 - len(body))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        if len(body) > _MOST_BYTES:
            return None
        return parse(body.decode("utf-8", errors="replace"))


def session() -> aiohttp.ClientSession:
    """A session that asks for no compression, keeps no cookies and trusts no proxy settings."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
    )
