"""What changes reaches every page once, and nobody looks when nobody watches."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from qwen_operator.naming import Key
from qwen_operator.page.feed import Change, Feed

A, B = Key("n", "a"), Key("n", "b")


class Rows:
    """Rows that a test changes, with a count of the looks at them."""

    def __init__(self, **rows: int) -> None:
        self.rows = rows
        self.looks = 0

    def __call__(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        self.looks += 1
        for name, value in list(self.rows.items()):
            yield Key("n", name), {"name": name, "value": value}


def names(change: Change) -> list[str]:
    return [each["name"] for each in change.rows]


async def nearest(changes: AsyncGenerator[Change]) -> Change:
    async with asyncio.timeout(30):
        return await anext(changes)


async def news(changes: AsyncGenerator[Change]) -> Change:
    """The next change that holds something."""
    while True:
        found = await nearest(changes)
        if found.rows or found.gone:
            return found


async def test_everything_comes_first_and_then_only_what_differs() -> None:
    rows = Rows(a=1, b=1)
    async with contextlib.aclosing(Feed(rows, 0.01).changes()) as changes:
        assert names(await nearest(changes)) == ["a", "b"]
        assert (await nearest(changes)).rows == []
        rows.rows["b"] = 2
        assert names(await news(changes)) == ["b"]
        del rows.rows["a"]
        assert await news(changes) == Change([], [A])
        rows.rows["a"] = 1
        assert names(await news(changes)) == ["a"]


async def test_a_slow_page_gets_the_last_state_of_each_model_and_loses_none() -> None:
    rows = Rows(a=1, b=1)
    feed = Feed(rows, 0.001)
    async with (
        contextlib.aclosing(feed.changes()) as slow,
        contextlib.aclosing(feed.changes()) as quick,
    ):
        await nearest(slow)
        await nearest(quick)
        for value in (2, 3, 4):
            rows.rows["a"] = value
            assert (await news(quick)).rows[0]["value"] == value
        del rows.rows["b"]
        await news(quick)
        found = await nearest(slow)
        assert ([each["value"] for each in found.rows], found.gone) == ([4], [B])


async def test_two_pages_cost_one_look() -> None:
    rows = Rows(a=1)
    feed = Feed(rows, 3600)
    async with (
        contextlib.aclosing(feed.changes()) as one,
        contextlib.aclosing(feed.changes()) as other,
    ):
        assert await asyncio.gather(nearest(one), nearest(other))
        assert (rows.looks, feed.viewers) == (1, 2)


async def test_nobody_looks_once_the_last_page_is_closed_and_a_new_one_begins_anew() -> None:
    rows = Rows(a=1)
    feed = Feed(rows, 0.001)
    async with contextlib.aclosing(feed.changes()) as changes:
        await nearest(changes)
    seen = rows.looks
    await asyncio.sleep(0.05)
    assert (rows.looks, feed.viewers) == (seen, 0)
    async with contextlib.aclosing(feed.changes()) as changes:
        assert names(await nearest(changes)) == ["a"]


async def test_many_rows_leave_the_loop_its_turns() -> None:
    feed = Feed(Rows(**{f"m{n}": n for n in range(1000)}), 3600)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    async with contextlib.aclosing(feed.changes()) as changes:
        assert len((await nearest(changes)).rows) == 1000
    other.cancel()
    assert turns >= 20


async def test_a_look_that_fails_ends_the_page_and_not_in_silence() -> None:
    def broken() -> Iterator[tuple[Key, dict[str, Any]]]:
        yield A, {}
        raise ValueError("a row that cannot be made")

    async with contextlib.aclosing(Feed(broken, 0.01).changes()) as changes:
        with pytest.raises(ValueError, match="cannot be made"):
            await nearest(changes)
