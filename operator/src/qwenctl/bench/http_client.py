"""A client of server-sent events that costs little: it notes when events come and reads no text."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, cast

from qwenctl.bench.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

# JSON escapes line breaks, so these bytes are never part of an answer's text.
_EVENT = b"\ndata: "
_LAST_EVENT = b"\ndata: [DONE]"
_ERROR = b'\ndata: {"error'
_END = b"\r\n0\r\n\r\n"
_HEADERS_END = b"\r\n\r\n"
_OK = b"HTTP/1.1 200"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_LONGEST_MARK = len(_ERROR)


class Reading:
    """Reads one answer as it comes, in pieces of any size."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.is_done = False
        self._tail = b""
        self._headers = b""
        self._error = b""
        self._has_headers = False
        self._refusal: bytes | None = None
        self._expected: int | None = None
        self._body = 0

    def feed(self, data: bytes, now: float) -> None:
        """Take what has arrived at `now`."""
        if self._refusal is not None:
            self._refuse(data)
            return
        if not self._has_headers:
            self._headers += data
            head, end, data = self._headers.partition(_HEADERS_END)
            if not end:
                return
            self._has_headers = True
            if not head.startswith(_OK):
                length = _LENGTH.search(head)
                self._expected = int(length[1]) if length else None
                self._refusal = head.splitlines()[0] + b" "
                self._body = 0
                self._refuse(data)
                return
        seen = self._tail + data
        # A mark that lies in the tail alone has been counted before.
        fresh = seen.count(_EVENT) - self._tail.count(_EVENT)
        fresh -= seen.count(_LAST_EVENT) - self._tail.count(_LAST_EVENT)
        if fresh < 0:
            # The end of the list of events was taken for one until its second half came.
            del self.sample.at[fresh:]
        self.sample.at.extend([now] * fresh)
        if self._error or _ERROR in seen:
            self._error += data if self._error else seen[seen.index(_ERROR) :]
            self.sample.error = self._error[:300].decode("utf-8", "replace").strip()
        self.is_done = seen.endswith(_END)
        self._tail = seen[-_LONGEST_MARK:]

    def _refuse(self, data: bytes) -> None:
        """Take a part of a refusal: it may come in pieces, as any answer."""
        self._refusal = (self._refusal or b"") + data
        self._body += len(data)
        whole = self._expected is not None and self._body >= self._expected
        self.is_done = whole or self._refusal.endswith(_END)
        self.sample.error = self._refusal[:300].decode("utf-8", "replace").strip()


class HttpStream(asyncio.Protocol):
    """One connection that asks one question after another."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reading: Reading | None = None
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's: the connection is there."""
        # uvloop's transports have another base class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Asyncio's: a piece has arrived."""
        if self._reading is not None and self._done is not None:
            self._reading.feed(data, time.monotonic())
            if self._reading.is_done and not self._done.done():
                self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's: the server has hung up."""
        if self._reading is not None and self._done is not None and not self._done.done():
            self._reading.sample.error = f"the connection was lost: {exc}"
            self._done.set_result(None)

    async def ask(self, host: str, path: str, body: Mapping[str, object]) -> Sample:
        """Post one question and wait for the end of its answer."""
        if self._transport is None or self._transport.is_closing():
            return Sample(time.monotonic(), error="the connection is closed")
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Accept: text/event-stream\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._done = asyncio.get_running_loop().create_future()
        self._reading = Reading(Sample(time.monotonic()))
        self._transport.write(head.encode() + content)
        await self._done
        return self._reading.sample


async def connect(host: str, port: int) -> HttpStream:
    """Open a connection.

    Raises:
        OSError: when nobody listens.
    """
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(HttpStream, host, port)
    return stream
