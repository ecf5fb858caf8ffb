"""Debian's Chromium, driven by Playwright, without a sandbox or a word to the outside."""

import contextlib
from collections.abc import AsyncIterator

from playwright.async_api import Browser, async_playwright

from e2e.cluster.machine import install_packages

CHROMIUM = "/usr/bin/chromium"
PACKAGES = {CHROMIUM: "chromium"}
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def install() -> None:
    """Install it where it is missing; takes root."""
    install_packages(lambda words: print(words, flush=True), PACKAGES)


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A headless browser while the context lasts."""
    async with async_playwright() as playwright:
        # As root it has no sandbox; it shows nothing but the page under test.
        found = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), chromium_sandbox=False
        )
        try:
            yield found
        finally:
            await found.close()
