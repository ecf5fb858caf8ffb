"""The fleet page of the installed operator, in a real browser: what is, why not, and a talk."""

import contextlib
import socket
from collections.abc import AsyncIterator

from playwright.async_api import Page, expect

from e2e.page import browser as chromium
from e2e.stack import clients
from e2e.stack.commands import apply, get, kubectl
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.installation import RELEASE
from e2e.stack.models import GPUS, NAMESPACE, Model, document
from e2e.suites.secrets import VALUES
from e2e.tiny_qwen.school.answers import EXPECTED

PORT = 8090
PATIENCE_MS = 60_000


@contextlib.asynccontextmanager
async def page() -> AsyncIterator[Page]:
    """The page as a person has it: by kubectl port-forward, and it may not complain."""
    chromium.install()
    expect.set_options(timeout=PATIENCE_MS)
    forwarded = clients.port_forward(f"deployment/{RELEASE}", PORT, OPERATOR_NAMESPACE)
    with forwarded as port:
        async with chromium.browser() as browser:
            found = await browser.new_page()
            complaints: list[str] = []
            found.on("console", lambda said: complaints.append(said.text))
            found.on("pageerror", lambda problem: complaints.append(str(problem)))
            await found.goto(f"http://localhost:{port}/")
            await expect(found.locator("#connection")).to_have_text("Live")
            yield found
            # A browser tells of a refused request by itself; those are the server's words.
            assert [each for each in complaints if "Failed to load resource" not in each] == []


async def test_a_model_that_serves_is_shown_and_answers_with_its_key(model: Model) -> None:
    async with page() as shown:
        line = shown.locator("li.line", has_text=model.name)
        await expect(line).to_contain_text("Serving")
        await expect(line.locator(".ready")).to_contain_text("1/1")
        await line.get_by_role("link").click()
        await expect(shown.locator("#model")).to_contain_text("Last start took")
        await shown.get_by_role("link", name="Chat", exact=True).click()
        await shown.get_by_label("API key").fill("another-key")
        await shown.get_by_text("Settings").click()
        await shown.get_by_label("Temperature").fill("0")
        await shown.get_by_label("Your message").fill("Who are you?")
        await shown.get_by_role("button", name="Send").click()
        await expect(shown.locator(".told")).to_contain_text("does not take this key")
        await shown.get_by_label("API key").fill(VALUES["door"])
        await shown.get_by_role("button", name="Send").click()
        answer = shown.locator(".message.assistant")
        await expect(answer).to_contain_text(EXPECTED["an identity"].answer)
        await expect(shown.locator(".told").last).to_contain_text("tokens")
        # What the engine did shows in its figures, which are its own.
        await shown.get_by_role("link", name="Overview", exact=True).click()
        await expect(shown.locator("#model")).to_contain_text("KV cache")


async def test_a_model_that_cannot_start_is_told_with_what_to_do_until_it_is_gone(
    model: Model,
) -> None:
    assert model.name
    gpus = GPUS + 1
    greedy = document("greedy", resources={"gpus": gpus}, engine={"tensorParallelSize": gpus})
    apply(greedy, namespace=NAMESPACE)
    async with page() as shown:
        line = shown.locator("li.line", has_text="greedy")
        await expect(line).to_contain_text("WaitingForGPU")
        await expect(line).to_contain_text("Insufficient nvidia.com/gpu")
        await expect(line).to_contain_text("Free GPUs, add a node")
        await line.get_by_role("link").click()
        await expect(shown.locator("#model .pod")).to_contain_text("Node")
        kubectl("-n", NAMESPACE, "delete", "qwen", "greedy")
        await expect(line).to_have_count(0)
        await expect(shown.locator("#model")).to_contain_text("no such model any more")


def test_nobody_reaches_it_but_through_a_port_forward(model: Model) -> None:
    assert model.name
    selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=qwen-operator"
    (operator,) = get("pods", "-n", OPERATOR_NAMESPACE, "-l", selector)["items"]
    address = operator["status"]["podIP"]
    assert clients.page(f"http://{address}:8080/healthz") == "ok\n"
    with socket.socket() as knocking:
        knocking.settimeout(10)
        assert knocking.connect_ex((address, PORT)) != 0
