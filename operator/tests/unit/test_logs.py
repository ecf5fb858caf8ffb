"""What the log looks like, to people and to machines."""

import asyncio
import io
import json
import logging
import random
from collections.abc import Iterator

import pytest

from qwen_operator.loops.backoff import Backoff
from qwen_operator.loops.logs import set_up
from qwen_operator.loops.meters import Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.loops.workers import work
from qwen_operator.naming import Key
from qwen_operator.settings import Settings


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Handlers and levels are the process's: they are put back."""
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in ("qwen_operator", "kopf"))]
    levels, handlers = [each.level for each in loggers], list(root.handlers)
    yield
    root.handlers[:] = handlers
    for each, level in zip(loggers, levels, strict=True):
        each.setLevel(level)


async def _a_pass(settings: Settings) -> str:
    out = io.StringIO()
    set_up(settings, out)
    queue, second = Queue(asyncio.get_running_loop().time), asyncio.Event()

    async def one_pass(key: Key) -> None:
        if key.name == "last":
            second.set()
            await asyncio.Event().wait()

    worker = asyncio.create_task(work(queue, one_pass, Backoff(random.Random(0)), Meters()))  # noqa: S311
    queue.poke(Key("models", "qwen"))
    queue.poke(Key("models", "last"))
    await asyncio.wait_for(second.wait(), 5)
    worker.cancel()
    return out.getvalue()


async def test_a_pass_is_one_line_that_a_machine_can_read() -> None:
    (line,) = (await _a_pass(Settings(log_level="debug", log_format="json"))).splitlines()
    read = json.loads(line)
    assert (read["namespace"], read["name"], read["outcome"]) == ("models", "qwen", "done")
    assert 0 <= read["seconds"] < 60
    assert read["level"] == "debug"


async def test_a_pass_is_one_line_that_a_person_can_read() -> None:
    (line,) = (await _a_pass(Settings(log_level="debug"))).splitlines()
    assert "models/qwen: pass done in 0." in line


async def test_passes_are_told_of_only_where_that_is_asked_for() -> None:
    assert await _a_pass(Settings(log_format="json")) == ""


def test_debug_is_about_this_operator_alone() -> None:
    out = io.StringIO()
    set_up(Settings(log_level="debug"), out)
    for name in ("aiohttp.client", "asyncio", "kopf.objects"):
        logging.getLogger(name).debug("of no use at 3 a.m.")
    assert out.getvalue() == ""


def test_an_exception_is_part_of_its_line() -> None:
    out = io.StringIO()
    set_up(Settings(log_format="json"), out)
    try:
        raise ValueError("a defect")
    except ValueError:
        logging.getLogger("qwen_operator.x").exception("it failed")
    (line,) = out.getvalue().splitlines()
    assert "ValueError: a defect" in json.loads(line)["exception"]
