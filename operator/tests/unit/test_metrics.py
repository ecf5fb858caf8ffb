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
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from qwen_operator.load import Load
from qwen_operator.naming import HEARTBEAT_METRIC, UP_METRIC
from qwen_operator.triton.metrics import HttpScraper, Reading, parse, parse_progress

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
M = frozenset({"m"})


def test_our_two_gauges_are_found_among_others() -> None:
    assert parse(PAGE) == Reading(up=True, heartbeat=1767322800.25, models=M)


@pytest.mark.parametrize(("value", "has_door"), [("1", True), ("0", False)])
def test_whether_there_is_an_openai_endpoint_is_told_by_a_series_of_its_own(
    value: str, *, has_door: bool
) -> None:
    found = parse(f'{PAGE}qwen_openai_endpoint_up{{model="m"}} {value}\n')
    assert found == Reading(up=True, heartbeat=1767322800.25, models=M, has_door=has_door)


def test_an_engine_that_is_reported_down_is_down() -> None:
    assert parse(f"{UP}0\n{BEAT}5\n") == Reading(up=False, heartbeat=5, models=M)


def test_of_several_instances_the_worst_counts() -> None:
    other = [each.replace('"m"', '"n"') for each in (UP, BEAT)]
    page = f"{UP}0\n{other[0]}1\n{BEAT}9\n{other[1]}4\n"
    assert parse(page) == Reading(up=False, heartbeat=4, models=M | {"n"})


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


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ('{"status": "loading", "phase": "loading", "phases": {"loading": 5.5}}', "loading"),
        ('{"status": "ok", "phase": "serving", "phases": {}}', "serving"),
        ('{"status": "ok", "phase": "serving"}', None),
        ('{"phase": "loading", "phases": {"loading": "now"}}', None),
        ('{"phase": "loading", "phases": {"loading": 1e99}}', None),
        ('{"phase": "loading", "phases": {"loading": NaN}}', None),
        ('{"phase": "loading", "phases": {"loading": -1}}', None),
        ('{"phase": "loading", "phases": [1]}', None),
        ("[]", None),
        ("<html>", None),
        ("", None),
    ],
)
def test_how_far_a_start_is_is_read_or_it_is_no_answer(text: str, phase: str | None) -> None:
    found = parse_progress(text)
    assert (None if found is None else found.phase) == phase


@pytest.mark.parametrize(
    ("told", "download"),
    [
        ('{"bytes": 5, "total": 9}', (5, 9)),
        ('{"bytes": 5}', (5, None)),
        ('{"bytes": 5, "total": 0}', (5, None)),
        ('{"bytes": 5, "total": "9"}', (5, None)),
        ('{"bytes": -5, "total": 9}', None),
        ('{"bytes": 1e3}', None),
        (f'{{"bytes": {10**30}}}', None),
        ("{}", None),
        ("[]", None),
        ("null", None),
    ],
)
def test_how_much_is_downloaded_is_read_or_nothing_is_said_of_it(
    told: str, download: tuple[int, int | None] | None
) -> None:
    found = parse_progress(f'{{"phase": "downloading", "phases": {{}}, "download": {told}}}')
    assert found is not None
    assert (found.phase, found.download) == ("downloading", download)


JUNK = st.text(st.sampled_from('qwen_engine_up{}"=,\\ 10.\t#NaNe+-\x00é\n'), max_size=40)


@given(JUNK)
def test_no_junk_after_our_names_makes_it_fail(junk: str) -> None:
    found = parse(f"qwen_engine_up{junk}\n{BEAT}{junk}\n")
    assert found is None or isinstance(found, Reading)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    parse(body.decode("utf-8", errors="replace"))


LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]*", fullmatch=True),
    st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=8),
    max_size=3,
)


@given(LABELS, st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, 1.0]))
def test_every_line_means_what_the_library_writes_with_it(
    labels: dict[str, str], beat: float, up: float
) -> None:
    registry = CollectorRegistry()
    for name, value in ((UP_METRIC, up), (HEARTBEAT_METRIC, beat)):
        gauge = Gauge(name, "x", list(labels), registry=registry)
        (gauge.labels(**labels) if labels else gauge).set(value)
    assert parse(generate_latest(registry).decode()) == Reading(up=up == 1, heartbeat=beat)


def test_a_page_of_a_million_foreign_series_costs_little() -> None:
    page = "".join(f'nv_x{{i="{n}"}} 1\n' for n in range(200_000)) + PAGE
    started = time.process_time()
    assert parse(page) is not None
    assert time.process_time() - started < 2


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def pod(
    handler: Handler,
    *,
    timeout: float = 2.0,  # noqa: ASYNC109
    with_load: bool = False,
) -> AsyncIterator[HttpScraper]:
    """A model pod on loopback with this behind :8002, and a scraper for it."""
    app = web.Application()
    app.router.add_get("/metrics", handler)
    app.router.add_get("/health", handler)
    app.router.add_get("/v2/models/{name}/ready", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield HttpScraper(
            timeout, port=port, backend_port=port, http_port=port, with_load=with_load
        )
    finally:
        await runner.cleanup()


def answering(**response: object) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(**response)  # type: ignore[arg-type]

    return handle


async def test_a_real_page_is_read_over_http() -> None:
    async with pod(answering(text=PAGE)) as scraper:
        assert await scraper.read("127.0.0.1") == Reading(
            up=True, heartbeat=1767322800.25, models=M
        )


async def test_the_load_is_read_only_where_somebody_wants_it() -> None:
    page = (
        PAGE
        + 'vllm:num_requests_running{model="m"} 3\nvllm:generation_tokens_total{model="m"} 70\n'
    )
    async with pod(answering(text=page), with_load=True) as scraper:
        found = await scraper.read("127.0.0.1")
    assert found is not None
    assert found.load == Load(running=3, generated=70, pods=1)
    async with pod(answering(text=page)) as scraper:
        plain = await scraper.read("127.0.0.1")
    assert plain is not None
    assert plain.load is None


@pytest.mark.parametrize("status", [204, 404, 500, 503])
async def test_any_other_status_is_no_answer(status: int) -> None:
    async with pod(answering(text=PAGE, status=status)) as scraper:
        assert await scraper.read("127.0.0.1") is None


@pytest.mark.parametrize(("status", "told"), [(200, True), (503, True), (404, False)])
async def test_a_backend_that_loads_or_serves_tells_how_far_it_is(
    status: int, *, told: bool
) -> None:
    text = '{"phase": "loading", "phases": {"loading": 5}}'
    async with pod(answering(text=text, status=status)) as scraper:
        assert (await scraper.progress("127.0.0.1") is not None) is told
        assert await scraper.progress("metadata.internal") is None


@pytest.mark.parametrize(
    ("status", "offered"), [(200, True), (400, False), (404, False), (503, None), (302, None)]
)
async def test_triton_says_whether_it_takes_requests(status: int, *, offered: bool | None) -> None:
    async with pod(answering(status=status)) as scraper:
        assert await scraper.offers("127.0.0.1", "m") is offered
        assert await scraper.offers("metadata.internal", "m") is None
    assert await scraper.offers("127.0.0.1", "m") is None, "nobody listens any more"


async def test_a_model_s_name_stays_one_part_of_the_path() -> None:
    asked = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.match_info["name"])
        return web.Response()

    async with pod(handle) as scraper:
        await scraper.offers("127.0.0.1", "../x y/千\r\nHost: z")
    assert asked == ["../x y/千\r\nHost: z"]


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
    assert await scraper.read("127.0.0.1") is None


@pytest.mark.parametrize("address", ["", "localhost", "10.0.0.1@evil", "1.2.3.4/x", "[::1]", "a b"])
async def test_only_an_ip_address_is_ever_asked(address: str) -> None:
    asked = []

    async def handle(_request: web.Request) -> web.StreamResponse:
        asked.append(address)
        return web.Response(text=PAGE)

    async with pod(handle) as scraper:
        assert await scraper.read(address) is None
    assert asked == []


async def raw(*parts: bytes) -> Reading | None:
    """What is read of a pod that sends exactly this, with pauses between the parts, and closes."""

    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.01)
        writer.close()
        done.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await HttpScraper(2.0, port=port).read("127.0.0.1")
        await done.wait()
        await asyncio.sleep(0.01)  # the transport closes in the loop's next round
        return found


OK = b"HTTP/1.1 200 OK\r\n"
BODY = f"{UP}1\n{BEAT}5\n".encode()
FOUND = Reading(up=True, heartbeat=5, models=M)


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in parts)


@pytest.mark.parametrize(
    "parts",
    [
        (OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,),
        (OK + b"content-length:%d\r\n\r\n" % len(BODY), BODY[:9], BODY[9:] + b"more"),
        (OK + b"\r\n" + BODY,),
        (b"HTTP/1.0 200 \r\nServer: x\r\n", b"\r\n", BODY),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks(BODY) + b"0\r\n\r\n",),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", chunks(BODY[:7], BODY[7:]), b"0\r\n", b"\r\n"),
    ],
)
async def test_a_body_ends_by_length_by_chunk_or_with_the_connection(parts: tuple[bytes]) -> None:
    assert await raw(*parts) == FOUND


@pytest.mark.parametrize(
    "parts",
    [
        (b"",),
        (b"HTTP/1.1 2000 OK\r\n\r\n" + BODY,),
        (b"HTTP/2 200\r\n\r\n" + BODY,),
        (OK + b"Content-Length: 999\r\n\r\n" + BODY,),
        (OK + b"Content-Length: 99999999\r\n\r\n" + BODY,),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(BODY),),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"no size\r\n" + BODY,),
        (OK + b"X: " + b"x" * 20_000, b"\r\n\r\n" + BODY),
    ],
)
async def test_half_or_wrong_pages_are_no_answer(parts: tuple[bytes]) -> None:
    assert await raw(*parts) is None
