"""A real browser, and pages of it that may neither complain nor ask anybody else."""

import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from e2e.page import browser as chromium
from e2e.page.invented import Answering, Fleet

PATIENCE_MS = 30_000
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


def free_port() -> int:
    """A port that nobody holds at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Shown:
    """The fleet page as one person sees it.

    Attributes:
        page: the browser's.
        fleet: behind it.
        talker: who answers in the chat.
        url: of the page.
    """

    page: Page
    fleet: Fleet
    talker: Answering
    url: str

    async def open(self, place: str = "") -> None:
        """Go to the page, or to one of its models."""
        await self.page.goto(self.url + place)
        await expect(self.page.locator("#connection")).to_have_text("Live")


Show = Callable[..., contextlib.AbstractAsyncContextManager[Shown]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    chromium.install()
    expect.set_options(timeout=PATIENCE_MS)
    async with chromium.browser() as found:
        yield found


@pytest.fixture
def show(browser: Browser) -> Show:
    @contextlib.asynccontextmanager
    async def showing(
        fleet: Fleet,
        *,
        chat: bool = True,
        standby: Callable[[], str | None] = lambda: None,
        **how: Any,
    ) -> AsyncIterator[Shown]:
        await fleet.play()
        talker, port = Answering("I am Qwen."), free_port()
        serving = fleet.served(port, talker if chat else None, standby)
        context = await browser.new_context(**{"viewport": DESK, **how})
        async with serving as url, contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            complaints: list[str] = []
            page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
            page.on("pageerror", lambda problem: complaints.append(str(problem)))
            page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
            page.on("request", lambda request: _check(request.url, complaints))
            yield Shown(page, fleet, talker, url)
            # A browser tells of a refused request by itself; those are the server's words.
            assert [each for each in complaints if "Failed to load resource" not in each] == []

    return showing


def _check(asked: str, complaints: list[str]) -> None:
    if not asked.startswith(("http://localhost:", "about:")):
        complaints.append(f"the page asked {asked}")
