"""The client counts events in an answer that arrives in pieces of any size."""

from __future__ import annotations

import pytest

from qwenctl.bench.http_client import Reading
from qwenctl.bench.samples import Sample

HEADERS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(event: str) -> bytes:
    text = f"data: {event}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(text), text)


def read(answer: bytes, size: int) -> Reading:
    reading = Reading(Sample(0.0))
    for at in range(0, len(answer), size):
        assert not reading.is_done
        reading.feed(answer[at : at + size], float(at))
    return reading


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_events_are_counted_once_however_they_are_cut(size: int) -> None:
    events = [chunk('{"text": "a\\ndata: b"}') for _ in range(5)]
    reading = read(HEADERS + b"".join(events) + chunk("[DONE]") + b"0\r\n\r\n", size)
    assert reading.is_done
    assert len(reading.sample.at) == 5
    assert not reading.sample.error


@pytest.mark.parametrize("size", [1, 13, 10_000])
def test_an_error_in_the_stream_is_kept(size: int) -> None:
    answer = HEADERS + chunk('{"text": "a"}') + chunk('{"error":"gone"}') + b"0\r\n\r\n"
    assert '{"error":"gone"}' in read(answer, size).sample.error


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_a_refusal_is_kept_with_its_status_and_read_to_its_end(size: int) -> None:
    body = b'{"error":"draining"}'
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n" % len(body)
    reading = read(head + body, size)
    assert reading.is_done
    assert reading.sample.error == 'HTTP/1.1 503 Service Unavailable {"error":"draining"}'


def test_a_refusal_in_chunks_is_read_to_its_end() -> None:
    head = b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"
    reading = read(head + b'5\r\n"no"\n\r\n0\r\n\r\n', 3)
    assert reading.is_done
    assert '"no"' in reading.sample.error
