"""Every fake pod's :8000, :8002 and :9000, answered by one small server on this machine.

kwok gives its pods addresses out of one range. While that range is routed to the loopback device,
the kernel takes each of its addresses for its own, and a listener on all addresses answers for all
pods: the operator scrapes pod addresses over TCP as it does anywhere.
"""

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from e2e.cluster.addresses import FAKE_POD_RANGE

SERVED_NAME = "qwen"
HTTP_PORT, METRICS_PORT, HEALTH_PORT = 8000, 8002, 9000
_BUCKETS = ("0.01", "0.05", "0.1", "0.5", "1.0", "5.0", "+Inf")
_HISTOGRAMS = ("time_to_first_token", "inter_token_latency", "e2e_request_latency")
_FOREIGN_SERIES = 100
_ALL_PODS = "0.0.0.0"  # noqa: S104 - whatever the address of a pod is


def _page(*, up: bool) -> bytes:
    labels = f'model="{SERVED_NAME}",model_name="{SERVED_NAME}",version="1"'
    lines = [
        f'nv_inference_{n}{{model="{SERVED_NAME}",version="1"}} 0' for n in range(_FOREIGN_SERIES)
    ]
    lines += [
        f'vllm:{name}_seconds_bucket{{{labels},le="{bound}"}} 0.0'
        for name in _HISTOGRAMS
        for bound in _BUCKETS
    ]
    lines += [
        f"qwen_engine_up{{{labels}}} {int(up)}",
        f"qwen_engine_heartbeat_timestamp_seconds{{{labels}}} {time.time():.3f}",
        f"qwen_openai_endpoint_up{{{labels}}} 1",
    ]
    return _answer("\n".join(lines) + "\n")


def _health() -> bytes:
    """As the backend tells, on :9000, of a start that took a moment."""
    now = round(time.time(), 3)
    return _answer(json.dumps({"phase": "serving", "phases": {"loading": now, "opening": now}}))


def _answer(text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


class Engines:
    """What the pods answer.

    Attributes:
        hanging: addresses that accept and never answer.
        down: addresses whose engine is reported dead.
        answered: how many requests were answered.
    """

    def __init__(self) -> None:
        self.hanging: set[str] = set()
        self.down: set[str] = set()
        self.answered = 0

    def protocol(self) -> asyncio.Protocol:
        """One connection."""
        return _Connection(self)


class _Connection(asyncio.Protocol):
    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server gets
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or not data.endswith(b"\r\n\r\n"):
            return
        address, port = transport.get_extra_info("sockname")
        if address in self._engines.hanging:
            return
        self._engines.answered += 1
        up = address not in self._engines.down
        # On :8000 nothing but Triton's /v2/models/NAME/ready is asked.
        pages: dict[int, Callable[[], bytes]] = {
            METRICS_PORT: partial(_page, up=up),
            HEALTH_PORT: _health,
            HTTP_PORT: partial(_answer, ""),
        }
        transport.write(pages[port]())
        transport.close()


def _route(action: str) -> None:
    network = FAKE_POD_RANGE.replace(".1/", ".0/")
    subprocess.run(("ip", "route", action, "local", network, "dev", "lo"), check=True)


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[Engines]:
    """Answer for all pods while the context lasts; needs root, for the route."""
    engines = Engines()
    loop = asyncio.get_running_loop()
    # "replace": one that was killed leaves its route behind.
    _route("replace")
    try:
        async with contextlib.AsyncExitStack() as servers:
            for port in (HTTP_PORT, METRICS_PORT, HEALTH_PORT):
                made = loop.create_server(engines.protocol, _ALL_PODS, port, backlog=4096)
                await servers.enter_async_context(await made)
            yield engines
    finally:
        _route("delete")
