"""What watches tell within a moment is looked at together; a storm is not kept waiting."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from qwen_operator.cluster import api_server


class Content:
    """A stream that gives what it was given."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    async def iter_any(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


@pytest.mark.parametrize(("size", "naps"), [(10, 1), (api_server._MANY_BYTES, 0)])
async def test_only_a_storm_is_read_on_without_waiting(
    monkeypatch: pytest.MonkeyPatch, size: int, naps: int
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    content = Content(b"x" * (size - 3) + b"\ny\n")
    found = [line async for line in api_server._lines(content)]  # type: ignore[arg-type]
    assert found == [b"x" * (size - 3), b"y"]
    assert len(slept) == naps
    assert all(0 < each <= api_server._GATHER_SECONDS for each in slept)
