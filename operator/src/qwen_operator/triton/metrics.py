"""Reading one pod, bounded in time and size, never beyond its own address.

:8002 tells whether its engine lives, :9000 how far its start is, :8000 whether requests are taken.
"""

import asyncio
import ipaddress
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families

from qwen_operator.facts import Progress
from qwen_operator.load import Load, read_load
from qwen_operator.naming import (
    BACKEND_PORT,
    DOOR_METRIC,
    HEARTBEAT_METRIC,
    HTTP_PORT,
    METRICS_PORT,
    UP_METRIC,
)
from qwen_operator.triton.page import OK, BadPage, read_page

_MOST_BYTES = 4 * 1024 * 1024
_MOST_LINES = 64
_MOST_ADDRESSES = 4096
_LATEST = 2**33
"""No clock says so much, unix seconds, for a while."""

_MOST_HEALTH_BYTES = 16 * 1024
_MOST_WEIGHTS = 2**53
"""Bytes; whatever reads JSON can hold so many."""
_HEALTHY_OR_NOT = frozenset({200, 503})
_MOST_READY_BYTES = 1024
_REFUSED = range(400, 500)

_NAMES = f"{UP_METRIC}|{HEARTBEAT_METRIC}|{DOOR_METRIC}"

# It begins with plain text, which the search looks for before it tries anything else.
_OURS = re.compile(rf"\n((?:{_NAMES})[^\n]*)")

# As Triton writes ours. The library reads whatever else the format allows; for such a line it takes
# as long as the rest of a reading.
_LABEL = r'[a-zA-Z_]\w*="[^"\\]*"'
_PLAIN = re.compile(rf"({_NAMES})\{{{_LABEL}(?:,{_LABEL})*\}} ([0-9.eE+-]+)", re.ASCII)
_MODEL = re.compile(r'[{,]model="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pod's :8002 said.

    Attributes:
        up: the backend reports its engine alive.
        heartbeat: the backend's clock at its last sign of life, unix seconds.
        models: names of the models that it speaks of.
        load: what the engine does; None unless it was asked for.
        has_door: OpenAI's endpoint is there; so it is taken to be with a backend that says nothing.
    """

    up: bool
    heartbeat: float
    models: frozenset[str] = frozenset()
    load: Load | None = None
    has_door: bool = True


class Scraper(Protocol):
    """Reads one pod; the seam at which unit tests end. None where there is no usable answer."""

    async def read(self, address: str) -> Reading | None:
        """Whether its engine lives."""
        ...

    async def progress(self, address: str) -> Progress | None:
        """How far its start is."""
        ...

    async def offers(self, address: str, model: str) -> bool | None:
        """Whether its Triton takes requests for a model."""
        ...


def _samples(lines: list[str]) -> Iterator[tuple[str, float, str]]:
    """Name and value of each line, and the model that it speaks of, empty for none.

    Raises:
        ValueError: a line is no sample.
    """
    strange = []
    for line in lines:
        if (plain := _PLAIN.fullmatch(line)) is not None:
            model = _MODEL.search(line)
            yield plain[1], float(plain[2]), "" if model is None else model[1]
        else:
            strange.append(line)
    if not strange:
        return
    for family in text_string_to_metric_families("\n".join(strange) + "\n"):
        for each in family.samples:
            yield each.name, each.value, each.labels.get("model", "")


def parse(text: str) -> Reading | None:
    """Find our gauges in an exposition; None unless those of the engine are there, and sane.

    Lines of other metrics are not even parsed: a page of a million series costs one search.
    """
    ours = _OURS.findall(f"\n{text}")
    if not ours or len(ours) > _MOST_LINES:
        return None
    values: dict[str, float] = {}
    models = set()
    try:
        for name, value, model in _samples(ours):
            if not math.isfinite(value):
                return None
            # Several instances: the engine is as alive as the worst of them.
            values[name] = min(values.get(name, math.inf), value)
            models.add(model)
    except ValueError:
        return None
    up, heartbeat = values.get(UP_METRIC), values.get(HEARTBEAT_METRIC)
    if up is None or heartbeat is None:
        return None
    return Reading(
        up=up == 1,
        heartbeat=heartbeat,
        models=frozenset(models - {""}),
        has_door=values.get(DOOR_METRIC, 1) == 1,
    )


def parse_progress(text: str) -> Progress | None:
    """Read the backend's /health; None unless it tells its phases."""
    try:
        found = json.loads(text)
        phase, entered = found["phase"], found["phases"]
        moments = {str(name): float(moment) for name, moment in entered.items()}
        download = _download(found.get("download"))
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    sane = all(0 <= each < _LATEST for each in moments.values())
    return Progress(str(phase), moments, download) if sane else None


def _download(told: object) -> tuple[int, int | None] | None:
    """Bytes that are here, and the whole where it is told; None for what nobody could mean."""
    done, total = (told.get("bytes"), told.get("total")) if isinstance(told, dict) else (None, None)
    if not isinstance(done, int) or not 0 <= done < _MOST_WEIGHTS:
        return None
    known = isinstance(total, int) and 0 < total < _MOST_WEIGHTS
    return done, total if known else None


@lru_cache(_MOST_ADDRESSES)
def _host(address: str) -> str:
    """An IP address, and nothing that a resolver would look up.

    Raises:
        ValueError: it is none.
    """
    return str(ipaddress.ip_address(address))


class HttpScraper:
    """Reads pods over HTTP, each time on a connection of its own."""

    def __init__(
        self,
        timeout_seconds: float,
        *,
        port: int = METRICS_PORT,
        backend_port: int = BACKEND_PORT,
        http_port: int = HTTP_PORT,
        with_load: bool = False,
    ) -> None:
        """Make one for all pods.

        Args:
            timeout_seconds: within which a page must be there.
            port: where pods show their metrics.
            backend_port: where they tell of their start.
            http_port: where their Triton takes requests.
            with_load: whether readings tell of the load, too, which nobody but the page reads.
        """
        self._timeout = timeout_seconds
        self._metrics_port, self._backend_port, self._http_port = port, backend_port, http_port
        self._with_load = with_load

    async def read(self, address: str) -> Reading | None:
        """See `Scraper`; `address` is the pod's IP as kubelet reported it."""
        text = await self._text(address, self._metrics_port, "/metrics", (_MOST_BYTES, OK))
        reading = None if text is None else parse(text)
        if text is None or reading is None or not self._with_load:
            return reading
        return replace(reading, load=read_load(text))

    async def progress(self, address: str) -> Progress | None:
        """See `Scraper`."""
        bounds = (_MOST_HEALTH_BYTES, _HEALTHY_OR_NOT)
        text = await self._text(address, self._backend_port, "/health", bounds)
        return None if text is None else parse_progress(text)

    async def offers(self, address: str, model: str) -> bool | None:
        """See `Scraper`: KServe's v2 protocol, which Triton speaks on :8000."""
        path = f"/v2/models/{quote(model, safe='')}/ready"
        try:
            await self._page(address, self._http_port, path, (_MOST_READY_BYTES, OK))
        except BadPage as problem:
            return False if problem.status in _REFUSED else None
        except (TimeoutError, OSError, ValueError):
            return None
        return True

    async def _text(
        self, address: str, port: int, path: str, bounds: tuple[int, frozenset[int]]
    ) -> str | None:
        try:
            body = await self._page(address, port, path, bounds)
        except (BadPage, TimeoutError, OSError, ValueError):
            return None
        return body.decode("utf-8", errors="replace")

    async def _page(
        self, address: str, port: int, path: str, bounds: tuple[int, frozenset[int]]
    ) -> bytes:
        host = _host(address)
        async with asyncio.timeout(self._timeout):
            return await read_page((host, port), path, *bounds)
