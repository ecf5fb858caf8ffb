"""The built site in a real browser: it loads nothing from elsewhere, and its search finds."""

import contextlib
import functools
import http.server
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from docsite.blocks import ROOT
from e2e.page import browser as chromium

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_words: object) -> None:
        """See `BaseHTTPRequestHandler`."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site, built as `make docs` builds it, behind a file server."""
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        ["e2e/python-environment.sh", "docs"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    build = [f"{made.stdout.strip()}/bin/mkdocs", "build", "--strict", "--quiet"]
    quiet = {**os.environ, "PYTHONPATH": ".", "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run([*build, "--site-dir", str(folder)], cwd=ROOT, env=quiet, check=True)
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture(loop_scope="module")
async def page(site: str) -> AsyncIterator[Page]:
    """A browser's page, which may ask nobody but the site."""
    chromium.install()
    expect.set_options(timeout=30_000)
    asked: list[str] = []
    async with chromium.browser() as browser:
        found = await browser.new_page()
        found.on("request", lambda request: asked.append(request.url))
        yield found
    assert [each for each in asked if not each.startswith((site, "data:", "blob:"))] == []


async def test_pages_are_read_without_a_way_out(page: Page, site: str) -> None:
    for place in ("", "howto/page/", "concepts/memory/", "zh/start/", "api/", "chart/"):
        await page.goto(site + place)
        await expect(page.locator("article h1")).to_be_visible()
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(f"{site}comparison/")
    assert await page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize(
    ("words", "title"), [("KVCacheTooSmall", "Why is my model not serving"), ("显卡", "从零开始")]
)
async def test_the_search_finds_words_of_both_languages(
    page: Page, site: str, words: str, title: str
) -> None:
    await page.goto(site)
    box = page.get_by_role("textbox", name="Search")
    found = page.locator(".md-search-result__item", has_text=title).first
    for _ in range(10):
        # What is typed before the page's script listens is lost; it hears of keys and of focus.
        await box.fill(words)
        await box.press("End")
        with contextlib.suppress(AssertionError):
            await expect(found).to_be_visible(timeout=6_000)
            break
    await expect(found).to_be_visible(timeout=1_000)
