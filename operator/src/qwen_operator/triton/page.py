"""One HTTP request for one page, in as little work as it takes: a thousand pods are asked in turn.

Neither redirects nor cookies, proxies, compression or a second connection: what a general client
brings along is what must not happen here.
"""

import asyncio
import re
import socket

_HEAD = 16 * 1024
"""Bytes within which an answer's head must end."""

_AT_ONCE = 64 * 1024

_LINE = 1024
"""Bytes within which a chunk must tell its size."""

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r\n)")
OK = frozenset({200})
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?=\r\n)", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})(?:;[^\r\n]*)?\r\n")


class BadPage(Exception):
    """What came is no page that was asked for.

    Attributes:
        status: the HTTP status that came instead, where it is why.
    """

    def __init__(self, words: str, status: int | None = None) -> None:
        """Say why."""
        super().__init__(words)
        self.status = status


class _Page:
    """Collects an answer until it is whole, too large, or over."""

    def __init__(self, most: int, statuses: frozenset[int]) -> None:
        self._most, self._statuses = most, statuses
        self._data = bytearray()
        self._head = 0
        self._length: int | None = None
        self._chunks: list[bytes] | None = None
        self._place = 0

    def _read_head(self) -> None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > _HEAD:
                raise BadPage("a head without an end")
            return
        head = bytes(self._data[: end + 2])
        status = _STATUS.match(head)
        if status is None:
            raise BadPage("no HTTP")
        if int(status[1]) not in self._statuses:
            raise BadPage("a status other than was asked for", int(status[1]))
        self._head = self._place = end + 4
        if _CHUNKED.search(head) is not None:
            self._chunks = []
        elif (length := _LENGTH.search(head)) is not None:
            self._length = int(length[1])

    def _unchunked(self, chunks: list[bytes]) -> bytes | None:
        """The body out of its chunks, those before this call known; None before the last."""
        while True:
            size = _SIZE.match(self._data, self._place)
            if size is None:
                if len(self._data) - self._place > _LINE:
                    raise BadPage("a chunk without a size")
                return None
            length, start = int(size[1], 16), size.end()
            if not length:
                return b"".join(chunks)
            if len(self._data) < start + length + 2:
                return None
            chunks.append(bytes(self._data[start : start + length]))
            self._place = start + length + 2

    def _whole(self, *, over: bool) -> bytes | None:
        """The body, if all of it is there."""
        if not self._head:
            self._read_head()
        if not self._head:
            return None
        size = len(self._data) - self._head
        if max(size, self._length or 0) > self._most:
            raise BadPage("a page that is too large")
        if self._chunks is not None:
            return self._unchunked(self._chunks)
        end = size if self._length is None and over else self._length
        whole = end is not None and size >= end
        return bytes(self._data[self._head : self._head + (end or 0)]) if whole else None

    def add(self, data: bytes) -> bytes | None:
        """Take what came, or nothing for the end; return the body as soon as it is whole.

        Raises:
            BadPage: that is, or will be, no page that was asked for.
        """
        self._data += data
        found = self._whole(over=not data)
        if found is None and not data:
            raise BadPage("half a page")
        return found


async def read_page(
    place: tuple[str, int], path: str, most: int, statuses: frozenset[int] = OK
) -> bytes:
    """Ask for one page and read it whole; the caller bounds the time.

    Args:
        place: an IP address and a TCP port.
        path: what to ask for.
        most: bytes of the body that are too many when exceeded.
        statuses: HTTP statuses with which it is wanted.

    Raises:
        BadPage: another answer than a page of that size with such a status.
        OSError: no connection, or a broken one.
    """
    host, port = place
    loop = asyncio.get_running_loop()
    old = ":" not in host
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host if old else f'[{host}]'}:{port}",
        "Connection: close",
    )
    page = _Page(most, statuses)
    # A bare socket: a transport would cost as much as all the rest.
    with socket.socket(socket.AF_INET if old else socket.AF_INET6) as connection:
        connection.settimeout(0)
        await loop.sock_connect(connection, (host, port))
        await loop.sock_sendall(connection, ("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
        while True:
            if (found := page.add(await loop.sock_recv(connection, _AT_ONCE))) is not None:
                return found
