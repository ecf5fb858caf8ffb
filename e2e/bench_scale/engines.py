"""Every fake pod's :8002, answered by one small server on this machine.

kwok gives its pods addresses out of one range. While that range is routed to the loopback device,
the kernel takes each of its addresses for its own, and a listener on all addresses answers for all
pods: the operator scrapes pod addresses over TCP as it does anywhere.
"""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator

from e2e.cluster.addresses import FAKE_POD_RANGE

PORT = 8002
_BUCKETS = ("0.01", "0.05", "0.1", "0.5", "1.0", "5.0", "+Inf")
_HISTOGRAMS = ("time_to_first_token", "inter_token_latency", "e2e_request_latency")
_FOREIGN_SERIES = 100


def _page(*, up: bool) -> bytes:
    labels = 'model="qwen",model_name="qwen",version="1"'
    lines = [f'nv_inference_{n}{{model="qwen",version="1"}} 0' for n in range(_FOREIGN_SERIES)]
    lines += [
        f'vllm:{name}_seconds_bucket{{{labels},le="{bound}"}} 0.0'
        for name in _HISTOGRAMS
        for bound in _BUCKETS
    ]
    lines += [
        f"qwen_engine_up{{{labels}}} {int(up)}",
        f"qwen_engine_heartbeat_timestamp_seconds{{{labels}}} {time.time():.3f}",
    ]
    body = ("\n".join(lines) + "\n").encode()
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
        address = transport.get_extra_info("sockname")[0]
        if address in self._engines.hanging:
            return
        self._engines.answered += 1
        transport.write(_page(up=address not in self._engines.down))
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
        server = await loop.create_server(engines.protocol, "0.0.0.0", PORT, backlog=4096)  # noqa: S104 - all pods' addresses
        async with server:
            yield engines
    finally:
        _route("delete")
