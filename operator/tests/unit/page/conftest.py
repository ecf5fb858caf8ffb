"""The page's server on loopback, with a client that is no browser."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import pytest

from e2e.page.invented import Answering, Fleet, Invented, Pod
from qwen_operator.page.server import Page, serve_page
from qwen_operator.settings import Settings

SERVES = Pod((100, 99, 90, 50), tokens=100, running=3)


def free_port() -> int:
    """A port that nobody holds at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Site:
    """A page that is served, and what is behind it."""

    fleet: Fleet
    talker: Answering
    client: aiohttp.ClientSession
    url: str


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while True:
            if await look():
                return
            await asyncio.sleep(0.01)


Serving = Callable[..., contextlib.AbstractAsyncContextManager[Site]]


@contextlib.asynccontextmanager
async def serving(
    *models: Invented,
    chat: bool = False,
    hosts: tuple[str, ...] = (),
    standby: Callable[[], str | None] = lambda: None,
) -> AsyncIterator[Site]:
    """The page over these models."""
    fleet, talker, port = Fleet(models), Answering("I am Qwen."), free_port()
    await fleet.play()
    settings = Settings(page_port=port, page_chat=chat, page_hosts=hosts)
    page = Page(fleet.watched, settings, talker, standby)
    url = f"http://127.0.0.1:{port}"
    async with serve_page(page), aiohttp.ClientSession(url) as client:
        yield Site(fleet, talker, client, url)


@pytest.fixture
def site() -> Serving:
    return serving
