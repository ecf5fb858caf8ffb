"""The page's server: what it shows to whom, and that it ends when the operator ends."""

import asyncio
import contextlib
import json
import socket
import time
from typing import Any

import aiohttp
import pytest

from e2e.page.invented import Invented
from qwen_operator.errors import Refused
from tests.unit.page.conftest import SERVES, Serving, Site, eventually, free_port, serving

ONE = Invented("a", "hf://Qwen/Qwen3-8B", pods=(SERVES,))


async def event(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            line = await answer.content.readline()
            if line.startswith(b"data: "):
                return dict(json.loads(line.removeprefix(b"data: ")))


async def status(site: Site, path: str = "/api/models/chat/a", **headers: str) -> int:
    async with site.client.get(path, headers=headers) as answer:
        return answer.status


async def test_the_feed_tells_of_the_operator_and_of_every_model(site: Serving) -> None:
    async with site(ONE) as found, found.client.get("/api/feed") as answer:
        told = await event(answer)
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert told["about"] == {"version": "0.1.0", "namespaces": [], "chat": False}
        assert [each["name"] for each in told["rows"]] == ["a"]
        assert abs(told["now"] - time.time()) < 30
        found.fleet.drop(ONE)
        while not (later := await event(answer))["gone"]:
            assert "about" not in later
        assert later["gone"] == [["chat", "a"]]


async def test_one_model_is_told_and_one_that_is_not_there_is_404(site: Serving) -> None:
    async with site(ONE) as found:
        async with found.client.get("/api/models/chat/a") as answer:
            assert (await answer.json())["name"] == "a"
        async with found.client.get("/api/models/chat/b") as answer:
            assert answer.status == 404
            assert "chat/b" in (await answer.json())["error"]


async def test_the_page_brings_everything_and_names_no_other_place(site: Serving) -> None:
    async with site() as found:
        async with found.client.get("/") as answer:
            html = await answer.text()
            assert answer.content_type == "text/html"
            tag = answer.headers["ETag"]
        async with found.client.get("/", headers={"If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        for name, kind in (
            ("main.js", "text/javascript"),
            ("page.css", "text/css"),
            ("icon.svg", "image/svg+xml"),
        ):
            assert f"assets/{name}" in html
            async with found.client.get(f"/assets/{name}") as answer:
                assert (answer.status, answer.content_type) == (200, kind)
    assert "http://" not in html
    assert "https://" not in html


@pytest.mark.parametrize(
    "path",
    ["/assets/..%2Fserver.py", "/assets/../server.py", "/assets/nothing.js", "/other", "/api/"],
)
async def test_nothing_else_is_served(site: Serving, path: str) -> None:
    async with site() as found:
        assert await status(found, path) == 404


@pytest.mark.parametrize("path", ["/", "/api/models/chat/a", "/api/models/x/y", "/nothing"])
async def test_every_answer_forbids_what_the_page_does_not_need(site: Serving, path: str) -> None:
    async with site(ONE) as found, found.client.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "[::1]:8090", "LOCALHOST", "localhost."]
)
async def test_names_of_the_machine_itself_are_answered_at_any_port(
    site: Serving, host: str
) -> None:
    async with site(ONE) as found:
        assert await status(found, Host=host) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "10.0.0.7:8090", "x@localhost", "local host", ""],
)
@pytest.mark.parametrize("path", ["/", "/api/feed", "/api/models/chat/a", "/assets/main.js"])
async def test_a_name_that_is_not_ours_gets_nothing(site: Serving, host: str, path: str) -> None:
    async with site(ONE) as found, found.client.get(path, headers={"Host": host}) as answer:
        assert answer.status in {400, 421}
        assert "chat" not in (await answer.text()).replace("page.chat", "")


async def test_names_that_the_administrator_gives_are_answered(site: Serving) -> None:
    async with site(ONE, hosts=("Fleet.example",)) as found:
        assert await status(found, Host="fleet.example") == 200
        assert await status(found, Host="other.example") == 421
        assert await status(found, Host="localhost:5") == 200


@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://localhost:8090"}, True),
        ({"Origin": "https://localhost:8090"}, True),
        ({"Origin": "http://localhost:9999"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
    ],
)
async def test_another_site_in_the_same_browser_is_refused(
    site: Serving, headers: dict[str, str], *, answered: bool
) -> None:
    async with site(ONE) as found:
        wanted = 200 if answered else 403
        assert await status(found, Host="localhost:8090", **headers) == wanted


async def test_usual_ports_may_be_left_out_of_an_origin(site: Serving) -> None:
    async with site(ONE, hosts=("fleet.example",)) as found:
        origin = {"Origin": "https://fleet.example"}
        assert await status(found, Host="fleet.example:443", **origin) == 200
        assert await status(found, Host="fleet.example", **origin) == 200
        assert await status(found, Host="fleet.example:8443", **origin) == 403


async def test_without_names_only_the_pod_itself_reaches_it_and_with_some_everyone() -> None:
    async def reached(**settings: Any) -> bool:
        async with serving(ONE, **settings) as found:
            port = int(found.url.rpartition(":")[2])
            try:
                # Another address than the one that is listened on, as any but loopback would be.
                _, writer = await asyncio.open_connection("127.0.0.2", port)
            except OSError:
                return False
            writer.close()
            await writer.wait_closed()
            return True

    assert await reached() is False
    assert await reached(hosts=("fleet.example",)) is True


@pytest.mark.parametrize("leader", ["qwen-operator-1", ""])
async def test_a_standby_says_who_leads_and_lets_the_connection_go(
    site: Serving, leader: str
) -> None:
    async with site(ONE, standby=lambda: leader) as found:
        for path in ("/api/feed", "/api/models/chat/a"):
            async with found.client.get(path) as answer:
                assert (answer.status, await answer.json()) == (503, {"standby": leader})
                assert answer.headers["Connection"] == "close"
        assert await status(found, "/") == 200


async def test_open_pages_are_counted_and_one_too_many_is_told(
    site: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_operator.page.server._MOST_VIEWERS", 2)
    async with site(ONE) as found, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await event(await stack.enter_async_context(found.client.get("/api/feed")))
        async with found.client.get("/api/feed") as answer:
            assert answer.status == 503
            assert "2 pages are open" in (await answer.json())["error"]
        await stack.aclose()

        async def opened() -> bool:
            async with found.client.get("/api/feed") as answer:
                return answer.status == 200

        await eventually(opened)


async def test_an_open_page_does_not_hold_up_the_end() -> None:
    async with aiohttp.ClientSession() as client:
        async with serving(ONE) as found:
            answer = await client.get(f"{found.url}/api/feed")
            await event(answer)
            began = time.monotonic()
        assert time.monotonic() - began < 8
        answer.close()


async def test_a_port_that_is_taken_is_said_with_what_to_do(site: Serving) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.unit.page.conftest.free_port", lambda: port)
            with pytest.raises(Refused, match=f"port {port}.*QWEN_OPERATOR_PAGE_PORT"):
                async with site():
                    pass
