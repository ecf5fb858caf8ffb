"""Reading :8002: what counts as an answer, and that no pod can hurt the operator with one."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.triton.metrics import HttpScraper, Reading, parse, session

PAGE = """\
# HELP nv_inference_request_success Number of successful inference requests
# TYPE nv_inference_request_success counter
nv_inference_request_success{model="m",version="1"} 7
# HELP qwen_engine_up 1 while the engine is alive
# TYPE qwen_engine_up gauge
qwen_engine_up{model="m",model_name="m",version="1"} 1
# TYPE qwen_engine_heartbeat_timestamp_seconds gauge
qwen_engine_heartbeat_timestamp_seconds{model="m",model_name="m",version="1"} 1767322800.25
# TYPE qwen_engine_info gauge
qwen_engine_info{model="m",vllm="0.9"} 1
"""
UP = 'qwen_engine_up{model="m"} '
BEAT = 'qwen_engine_heartbeat_timestamp_seconds{model="m"} '


def test_our_two_gauges_are_found_among_others() -> None:
    assert parse(PAGE) == Reading(up=True, heartbeat=1767322800.25)


def test_an_engine_that_is_reported_down_is_down() -> None:
    assert parse(f"{UP}0\n{BEAT}5\n") == Reading(up=False, heartbeat=5)


def test_of_several_instances_the_worst_counts() -> None:
    other = [each.replace('"m"', '"n"') for each in (UP, BEAT)]
    page = f"{UP}0\n{other[0]}1\n{BEAT}9\n{other[1]}4\n"
    assert parse(page) == Reading(up=False, heartbeat=4)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html>hello</html>",
        f"{UP}1\n",
        f"{BEAT}1\n",
        f"{UP}1\n{BEAT}NaN\n",
        f"{UP}NaN\n{BEAT}1\n",
        f"{UP}1\n{BEAT}+Inf\n",
        f"{UP}1\n{BEAT}1\n" + BEAT.replace('"m"', '"n"') + "NaN\n",
        f"{UP}one\n{BEAT}1\n",
        f"{UP}\n{BEAT}1\n",
        'qwen_engine_up{model="m\n' + f"{BEAT}1\n",
        "\x00\ufffd\n",
        "".join(f'qwen_engine_up{{i="{n}"}} 1\n' for n in range(65)) + f"{BEAT}1\n",
        "qwen_engine_uptime 1\nqwen_engine_heartbeat_timestamp_seconds_total 1\n",
    ],
)
def test_a_page_without_both_gauges_in_order_is_no_answer(page: str) -> None:
    assert parse(page) is None


JUNK = st.text(st.sampled_from('qwen_engine_up{}"=,\\ 10.\t#NaNe+-\x00é\n'), max_size=40)


@given(JUNK)
def test_no_junk_after_our_names_makes_it_fail(junk: str) -> None:
    found = parse(f"qwen_engine_up{junk}\n{BEAT}{junk}\n")
    assert found is None or isinstance(found, Reading)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    parse(body.decode("utf-8", errors="replace"))


def test_a_page_of_a_million_foreign_series_costs_little() -> None:
    page = "".join(f'nv_x{{i="{n}"}} 1\n' for n in range(200_000)) + PAGE
    started = time.process_time()
    assert parse(page) is not None
    assert time.process_time() - started < 2


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def pod(handler: Handler, *, timeout: float = 2.0) -> AsyncIterator[HttpScraper]:  # noqa: ASYNC109
    """A model pod on loopback with this behind :8002, and a scraper for it."""
    app = web.Application()
    app.router.add_get("/metrics", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with session() as client:
            yield HttpScraper(client, timeout, port=port)
    finally:
        await runner.cleanup()


def answering(**response: object) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(**response)  # type: ignore[arg-type]

    return handle


async def test_a_real_page_is_read_over_http() -> None:
    async with pod(answering(text=PAGE)) as scraper:
        assert await scraper.read("127.0.0.1") == Reading(up=True, heartbeat=1767322800.25)


@pytest.mark.parametrize("status", [204, 404, 500, 503])
async def test_any_other_status_is_no_answer(status: int) -> None:
    async with pod(answering(text=PAGE, status=status)) as scraper:
        assert await scraper.read("127.0.0.1") is None


async def test_a_redirect_is_not_followed() -> None:
    asked = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.query_string)
        if request.query_string:
            return web.Response(text=PAGE)
        raise web.HTTPFound("/metrics?elsewhere")

    async with pod(handle) as scraper:
        assert await scraper.read("127.0.0.1") is None
    assert asked == [""]


async def test_more_than_four_mebibytes_are_no_answer() -> None:
    padding = "# " + "x" * 1022
    small = PAGE + "\n".join([padding] * 4000)
    async with pod(answering(text=small)) as scraper:
        assert await scraper.read("127.0.0.1") is not None
    async with pod(answering(text=PAGE + "\n".join([padding] * 4100))) as scraper:
        assert await scraper.read("127.0.0.1") is None


async def test_an_endless_body_is_cut_off_by_size() -> None:
    sent = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while sent < 2**30:
                await answer.write(b"x" * 2**16)
                sent += 2**16
        except ConnectionError:
            pass
        return answer

    async with pod(handle, timeout=10) as scraper:
        assert await scraper.read("127.0.0.1") is None
    assert sent < 2**26


@pytest.mark.parametrize("when", ["before the status", "within the body"])
async def test_a_slow_pod_is_given_up_in_time(when: str) -> None:
    done = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if when == "within the body":
            await answer.prepare(request)
            await answer.write(PAGE.encode())
        await done.wait()
        return answer

    async with pod(handle, timeout=0.2) as scraper:
        started = time.monotonic()
        assert await scraper.read("127.0.0.1") is None
        assert time.monotonic() - started < 1.5
        done.set()


async def test_a_compressed_body_is_not_unpacked() -> None:
    headers = {"Content-Encoding": "gzip"}
    async with pod(answering(body=gzip.compress(PAGE.encode()), headers=headers)) as scraper:
        assert await scraper.read("127.0.0.1") is None


async def test_bytes_that_are_no_text_are_no_answer() -> None:
    async with pod(answering(body=b"\xff\xfe\x00qwen_engine_up 1\n")) as scraper:
        assert await scraper.read("127.0.0.1") is None


async def test_a_pod_that_is_not_there_is_no_answer() -> None:
    async with pod(answering()) as scraper:
        pass
    async with session() as client:
        assert await HttpScraper(client, 1, port=scraper._port).read("127.0.0.1") is None


@pytest.mark.parametrize("address", ["", "localhost", "10.0.0.1@evil", "1.2.3.4/x", "[::1]", "a b"])
async def test_only_an_ip_address_is_ever_asked(address: str) -> None:
    asked = []

    async def handle(_request: web.Request) -> web.StreamResponse:
        asked.append(address)
        return web.Response(text=PAGE)

    async with pod(handle) as scraper:
        assert await scraper.read(address) is None
    assert asked == []
