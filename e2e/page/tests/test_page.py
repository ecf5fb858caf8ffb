"""The fleet page in a real browser: any number of models, any words, any hand."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect

from e2e.page.invented import Answering, Fleet, Invented, Pod
from e2e.page.story import STORY
from e2e.page.tests.conftest import DESK, PHONE, Show, Shown

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SOURCE = "hf://Qwen/Qwen3-8B"
SERVES = Pod((100, 99, 90, 50), tokens=100, running=3, cache=0.5)
ONE = Invented("alpha", SOURCE, pods=(SERVES,))
SICK = replace(ONE, reason="EngineDead", message="the engine died", since=5)
TALK = "#/chat/alpha/chat"


def line(page: Page, name: str) -> Locator:
    return page.locator("li.line", has=page.get_by_role("link", name=name, exact=True))


async def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, by rule and element."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


async def test_no_models_are_said_to_be_none_with_what_to_do(show: Show) -> None:
    async with show(Fleet()) as shown:
        await shown.open()
        await expect(shown.page.get_by_role("heading", name="No models yet")).to_be_visible()
        await expect(shown.page.locator("#empty")).to_contain_text("kubectl apply -f my-qwen.yaml")
        assert await violations(shown.page) == []


async def test_one_model_is_shown_with_what_it_does_and_changes_by_itself(show: Show) -> None:
    async with show(Fleet([ONE])) as shown:
        await shown.fleet.play()
        await shown.open()
        alpha = line(shown.page, "alpha")
        await expect(alpha).to_contain_text("Serving")
        await expect(alpha.locator(".ready")).to_contain_text("1/1")
        await expect(alpha.locator(".cache")).to_contain_text("50 %")
        await expect(alpha.locator(".speed")).to_contain_text("3 running")
        await expect(shown.page.locator("#summary")).to_contain_text("1 of 1")
        shown.fleet.put(SICK)
        await expect(alpha).to_contain_text("EngineDead")
        await expect(alpha).to_contain_text("the engine died")
        await expect(alpha).to_contain_text("If it returns by itself once, nothing")
        await expect(shown.page.locator("#news")).to_have_text("alpha: Needs attention, EngineDead")
        shown.fleet.drop(ONE)
        await expect(shown.page.get_by_role("heading", name="No models yet")).to_be_visible()


async def test_a_download_is_shown_with_its_bytes(show: Show) -> None:
    gib = 2**30
    loads = Pod((90, 80, 70), told={"downloading": 60}, download=(3 * gib, 15 * gib))
    one = replace(ONE, reason="ModelLoading", message="1 pod is starting", pods=(loads,))
    async with show(Fleet([one])) as shown:
        await shown.fleet.play()
        await shown.open("#/chat/alpha")
        alpha = line(shown.page, "alpha")
        await expect(alpha).to_contain_text("Downloading the weights for")
        await expect(alpha).to_contain_text("3.0 of 15.0 GiB")
        pod = shown.page.locator("li.pod")
        await expect(pod).to_contain_text("Download (3.0 of 15.0 GiB)")


async def test_a_thousand_models_are_found_filtered_and_ordered(show: Show) -> None:
    models = [
        Invented(
            f"m-{n:04}", SOURCE, "Serving" if n % 10 else "CrashLooping", namespace=f"team-{n % 5}"
        )
        for n in range(1000)
    ]
    async with show(Fleet(models)) as shown:
        page = shown.page
        await shown.open()
        await expect(page.locator("#count")).to_have_text("1,000 models")
        await expect(page.locator("li.line")).to_have_count(1000)
        await expect(page.locator("li.line .name").first).to_have_text("m-0000")
        await expect(page.locator("li.line").first).to_contain_text("CrashLooping")
        await page.get_by_role("button", name="Needs attention").click()
        await expect(page.locator("#count")).to_have_text("100 of 1,000 models")
        await page.get_by_label("Namespace").select_option("team-0")
        await page.get_by_label("Search names, models and reasons").fill("m-05 crash")
        await expect(page.locator("#count")).to_have_text("10 of 1,000 models")
        await page.get_by_label("Search names, models and reasons").fill("nobody")
        await expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
        await page.get_by_label("Search names, models and reasons").fill("")
        await page.get_by_role("button", name="Needs attention").click()
        await page.get_by_label("Namespace").select_option("")
        await page.get_by_label("Order").select_option("name")
        await expect(page.locator("li.line .name").nth(1)).to_have_text("m-0005")


HOSTILE = (
    '<img src=x onerror="alert(1)">',
    "<script>alert(2)</script>",
    "</textarea></script><svg onload=alert(3)>",
    '"><iframe srcdoc="<script>alert(4)</script>">',
    "javascript:alert(5)",
    "\u202egnp.exe \u0000 {{7*7}} ${alert(6)}",
)


@pytest.mark.parametrize("words", HOSTILE)
async def test_strangers_words_stay_words(show: Show, words: str) -> None:
    # The API server allows none of this in names; a stored object of an older one might hold it.
    strange = Invented(
        "alpha",
        words,
        "EngineDead",
        words,
        pods=(SERVES, Pod((9,))),
        spec={
            "model": {"source": words, "servedName": words},
            "engine": {"loraAdapters": [{"name": words}]},
        },
        status={
            "failure": {"message": words, "logLine": words, "suggestion": words, "pod": words},
            "startup": {"pod": words, f"{words}Seconds": 3},
            "endpoints": {"grpc": words},
        },
    )
    async with show(Fleet([strange, replace(strange, name=words, namespace=words)])) as shown:
        page = shown.page
        await shown.open("#/chat/alpha")
        seen = words.replace("\0", "\ufffd") if "\0" in words else words
        await expect(page.locator("#model .case")).to_contain_text(seen[:5])
        await expect(page.locator("li.line")).to_have_count(2)
        await page.get_by_role("link", name="Chat", exact=True).click()
        shown.talker.answer = f"{words}\n```{words}\n{words}\n```\n{words}"
        await page.get_by_label("Your message").fill(words)
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".told")).to_contain_text("tokens")
        await expect(page.locator(".message.user")).to_contain_text(seen[:5])
        assert await page.locator("main script, iframe, main img, [onerror], [onload]").count() == 0
        hrefs = await page.locator("a").evaluate_all(
            "all => all.map((a) => a.getAttribute('href'))"
        )
        assert all(each.startswith("#") for each in hrefs)


async def test_a_hand_without_a_mouse_opens_a_model_and_comes_back(show: Show) -> None:
    async with show(Fleet([ONE, replace(ONE, name="beta")])) as shown:
        page = shown.page
        await shown.open()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the models")).to_be_focused()
        await page.keyboard.press("Enter")
        beta = page.get_by_role("link", name="beta", exact=True)
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await beta.evaluate("link => link === document.activeElement"):
                break
        await expect(beta).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="beta", exact=True)).to_be_focused()
        await expect(beta).to_have_attribute("aria-current", "true")
        await expect(page).to_have_title("beta · Qwen fleet")
        await page.keyboard.press("Escape")
        await expect(page.locator("#model")).to_be_hidden()
        await expect(beta).to_be_focused()


async def test_what_has_the_focus_keeps_it_while_models_change_and_move(show: Show) -> None:
    async with show(Fleet([ONE, replace(ONE, name="beta")])) as shown:
        page = shown.page
        await shown.open()
        beta = page.get_by_role("link", name="beta", exact=True)
        await beta.focus()
        shown.fleet.put(replace(SICK, name="zeta"))
        await expect(page.locator("li.line .name").first).to_have_text("zeta")
        shown.fleet.put(replace(SICK, name="beta"))
        await expect(page.locator("li.line .name").first).to_have_text("beta")
        await expect(beta).to_be_focused()


LOOKS: dict[str, Callable[[Shown], Awaitable[None]]] = {
    "the list": lambda shown: shown.open(),
    "a sick model": lambda shown: shown.open("#/chat/qwen2.5-72b-awq"),
    "a model that loads": lambda shown: shown.open("#/research/qwen3-235b"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("look", LOOKS)
async def test_everyone_can_use_it(
    show: Show, look: str, size: dict[str, int], scheme: str
) -> None:
    fleet = Fleet(STORY)
    await fleet.play()
    async with show(fleet, viewport=size, color_scheme=scheme) as shown:
        await LOOKS[look](shown)
        if look != "the list":
            await expect(shown.page.locator("#model .part").first).to_be_visible()
        assert await violations(shown.page) == []
        width = await shown.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert width <= 0, "it scrolls sideways"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_everyone_can_use_the_chat(show: Show, size: dict[str, int], scheme: str) -> None:
    async with show(Fleet(STORY), viewport=size, color_scheme=scheme) as shown:
        page = shown.page
        await shown.open("#/coding/qwen2.5-coder-14b/chat")
        await page.get_by_text("Settings").click()
        await page.get_by_label("API key").fill("k")
        shown.talker.answer = "Look:\n```python\nprint(1)\n```\nThere."
        await page.get_by_label("Your message").fill("Code?")
        await page.keyboard.press("Enter")
        await expect(page.locator(".message.assistant pre")).to_have_text("print(1)")
        assert await violations(page) == []
        assert await page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0


async def test_the_longest_names_break_no_phone(show: Show) -> None:
    long = Invented("x" * 253, "hf://" + "o" * 200 + "/" + "n" * 200, "CrashLooping", "m" * 900)
    async with show(Fleet([long]), viewport=PHONE) as shown:
        await shown.open()
        await expect(shown.page.locator("li.line")).to_have_count(1)
        assert await shown.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
        await shown.page.locator("li.line .name").click()
        await expect(shown.page.locator("#model .case")).to_be_visible()
        assert await shown.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0


async def test_an_answer_is_seen_as_it_comes_and_can_be_stopped(show: Show) -> None:
    async with show(Fleet([ONE])) as shown:
        page = shown.page
        await shown.open(TALK)
        shown.talker.answer, shown.talker.pause = "word " * 2000, 0.02
        await page.get_by_label("Your message").fill("Go on")
        await page.keyboard.press("Enter")
        writing = page.locator(".message.assistant")
        await expect(writing).to_contain_text("word word word")
        await expect(writing).to_have_attribute("aria-busy", "true")
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator(".told")).to_have_text("Stopped")
        async with asyncio.timeout(30):
            await shown.talker.cancelled.wait()
        await expect(writing).to_contain_text("word word word")
        shown.talker.answer, shown.talker.pause = "Yes.", 0
        await page.get_by_label("Your message").fill("And?")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".message.assistant").nth(1)).to_contain_text("Yes.")
        roles = [each["role"] for each in shown.talker.asked[-1][1].messages]
        assert roles == ["user", "assistant", "user"]


async def test_settings_and_the_conversation_so_far_are_sent(show: Show) -> None:
    async with show(Fleet([ONE])) as shown:
        page = shown.page
        await shown.open(TALK)
        await page.get_by_text("Settings").click()
        await page.get_by_label("System prompt").fill("Be brief.")
        await page.get_by_label("Longest answer, tokens").fill("9")
        await page.get_by_label("Temperature").fill("0.5")
        await page.get_by_label("Your message").fill("One")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("two")
        await page.keyboard.press("Enter")
        await expect(page.locator(".told")).to_contain_text("3 tokens")
        ((_, question),) = shown.talker.asked
        assert question.messages == (
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One\ntwo"},
        )
        assert question.limits == {"max_tokens": 9, "temperature": 0.5}


async def test_a_refusal_is_told_and_the_question_is_not_lost(show: Show) -> None:
    locked = replace(
        ONE, spec={"model": {"source": SOURCE}, "chat": {"apiKeySecretRef": {"name": "door"}}}
    )
    async with show(Fleet([locked])) as shown:
        page = shown.page
        await shown.open(TALK)
        await page.get_by_label("Your message").fill("Hello")
        await page.keyboard.press("Enter")
        await expect(page.locator(".told")).to_contain_text("asks for its API key")
        await expect(page.get_by_label("Your message")).to_have_value("Hello")
        await page.get_by_label("API key").fill("s3cret")
        await page.get_by_label("Your message").press("Enter")
        await expect(page.locator(".message.assistant")).to_contain_text("I am Qwen.")
        assert shown.talker.asked[0][1].key == "s3cret"
        kept = await page.evaluate("[{...localStorage}, {...sessionStorage}, document.cookie]")
        assert kept == [{}, {}, ""]


async def test_without_chat_there_is_no_box(show: Show) -> None:
    async with show(Fleet([ONE]), chat=False) as shown:
        await shown.open(TALK)
        await expect(shown.page.locator("#model .part").first).to_be_visible()
        await expect(shown.page.get_by_label("Your message")).to_have_count(0)
        await expect(shown.page.get_by_role("link", name="Chat", exact=True)).to_have_count(0)


async def test_a_lost_operator_is_told_and_found_again(show: Show) -> None:
    fleet = Fleet([ONE])
    async with show(fleet) as shown:
        page = shown.page
        port = int(shown.url.rstrip("/").rpartition(":")[2]) + 1
        other = Fleet([ONE, replace(ONE, name="gone-meanwhile")])
        async with other.served(port) as url:
            await page.goto(url)
            await expect(page.locator("li.line")).to_have_count(2)
        await expect(page.locator("#connection")).to_contain_text("No answer from the operator")
        await expect(page.locator("li.line")).to_have_count(2)
        async with fleet.served(port, Answering()):
            await expect(page.locator("#connection")).to_have_text("Live")
            await expect(page.locator("li.line")).to_have_count(1)
        await page.goto("about:blank")


async def test_a_standby_is_told_until_it_leads(show: Show) -> None:
    leader: list[str | None] = ["qwen-operator-7"]
    async with show(Fleet([ONE]), standby=lambda: leader[0]) as shown:
        await shown.page.goto(shown.url)
        told = shown.page.locator("#connection")
        await expect(told).to_have_text("This operator stands by; qwen-operator-7 leads")
        leader[0] = None
        await expect(told).to_have_text("Live")
        await expect(shown.page.locator("li.line")).to_have_count(1)


async def test_the_theme_is_chosen_and_kept(show: Show) -> None:
    async with show(Fleet([ONE]), color_scheme="light") as shown:
        page = shown.page
        await shown.open()
        ground = "getComputedStyle(document.body.parentElement).backgroundColor"
        light = await page.evaluate(ground)
        await page.get_by_label("Theme").select_option("dark")
        dark = await page.evaluate(ground)
        assert light != dark
        await page.reload()
        await expect(page.get_by_label("Theme")).to_have_value("dark")
        assert await page.evaluate(ground) == dark


async def test_a_model_that_went_is_said_to_be_gone(show: Show) -> None:
    async with show(Fleet([ONE])) as shown:
        await shown.open("#/chat/nobody")
        await expect(shown.page.locator("#model")).to_contain_text("no such model any more")
