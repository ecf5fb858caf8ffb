"""`python -m e2e.page`: draw the page's pictures into docs/images, from an invented fleet."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, ViewportSize, expect

from e2e.page import browser as chromium
from e2e.page.invented import Answering, Fleet
from e2e.page.story import ANSWER, STORY

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
PORT = 18090
_ROUNDS = 6
_ROUND_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Attributes:
        name: of the file.
        scheme: light or dark.
        size: of the window.
        place: what the address names.
        question: to ask, where the chat is open.
    """

    name: str
    scheme: str
    size: tuple[int, int]
    place: str = ""
    question: str = ""


PICTURES = (
    Picture("page-light", "light", (1360, 860), "#/chat/qwen2.5-72b-awq"),
    Picture("page-dark", "dark", (1360, 860), "#/chat/qwen3-32b/chat", "What is an operator?"),
)


async def draw(browser: Browser, fleet: Fleet, url: str, picture: Picture) -> None:
    """Draw one."""
    width, height = picture.size
    context = await browser.new_context(
        viewport=ViewportSize(width=width, height=height),
        color_scheme="dark" if picture.scheme == "dark" else "light",
    )
    page = await context.new_page()
    await page.goto(url + picture.place)
    for _ in range(_ROUNDS):
        await fleet.play(_ROUND_SECONDS)
        await asyncio.sleep(_ROUND_SECONDS)
    if picture.question:
        await page.get_by_label("Your message").fill(picture.question)
        await page.keyboard.press("Enter")
        await expect(page.locator(".told")).to_contain_text("tokens")
    path = FOLDER / f"{picture.name}.png"
    await page.screenshot(path=path)
    print(f"drew {path.relative_to(FOLDER.parents[1])}")
    await context.close()


async def main() -> None:
    """Draw all."""
    chromium.install()
    fleet = Fleet(STORY)
    await fleet.play()
    async with fleet.served(PORT, Answering(ANSWER, 0.02)) as url, chromium.browser() as browser:
        for picture in PICTURES:
            await draw(browser, fleet, url, picture)


if __name__ == "__main__":
    asyncio.run(main())
