"""What may answer on a pod's :8002 and :8000: real servers on loopback, each strange in its way."""

import asyncio
import gzip
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

PORT, HTTP_PORT = 8002, 8000
MIB = 1024 * 1024

Serve = Callable[["Server", asyncio.StreamWriter], Awaitable[None]]


class Server:
    """One address; `name` is the model that should be served there."""

    def __init__(self, name: str, number: int, serve: Serve | None) -> None:
        self.name, self.serve = name, serve
        self.address = f"127.0.1.{number}"
        self.asked = 0
        self.asked_for: set[bytes] = set()

    def page(self, up: object = 1, heartbeat: object = None, model: str | None = None) -> bytes:
        """What a sound backend says, but for what is given."""
        beat = self.asked if heartbeat is None else heartbeat
        labels = f'{{model="{model or self.name}",version="1"}}'
        return (
            "# TYPE qwen_engine_up gauge\n"
            f"qwen_engine_up{labels} {up}\n"
            f"qwen_engine_heartbeat_timestamp_seconds{labels} {beat}\n"
        ).encode()

    async def take_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection to Triton's own port."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked_for.add(head.partition(b"\r\n")[0])
            if self.serve is mute:
                await asyncio.sleep(3600)
            refused = self.serve is unloaded
            _answer(writer, b"", status="400 Bad Request" if refused else "200 OK")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            assert self.serve is not None
            await self.serve(self, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _answer(
    writer: asyncio.StreamWriter, body: bytes, *headers: str, status: str = "200 OK"
) -> None:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


async def sound(server: Server, writer: asyncio.StreamWriter) -> None:
    """As it should be."""
    _answer(writer, server.page())


async def doorless(server: Server, writer: asyncio.StreamWriter) -> None:
    """A sound engine whose vLLM has no OpenAI endpoint."""
    _answer(writer, server.page() + b'qwen_openai_endpoint_up{model="doorless"} 0\n')


_OTHERS = b"".join(b'other{n="%d",bad="\xff\xfe"} 1\n' % number for number in range(50_000))
_MILLION = b"".join(b"s%d 1\n" % number for number in range(1_000_000))


async def padded(server: Server, writer: asyncio.StreamWriter) -> None:
    """A page of 50,000 other series, some of them no UTF-8: large, and in order."""
    _answer(writer, _OTHERS + server.page())


async def hanging(_server: Server, _writer: asyncio.StreamWriter) -> None:
    """Takes the request, and says nothing."""
    await asyncio.sleep(3600)


async def dripping(server: Server, writer: asyncio.StreamWriter) -> None:
    """A byte a second."""
    for byte in b"HTTP/1.1 200 OK\r\n\r\n" + server.page():
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def failing(server: Server, writer: asyncio.StreamWriter) -> None:
    """A sound page, called an error."""
    _answer(writer, server.page(), status="500 Internal Server Error")


async def redirecting(_server: Server, writer: asyncio.StreamWriter) -> None:
    """To where credentials may lie."""
    _answer(writer, b"", f"Location: http://{METADATA}:{PORT}/metrics", status="302 Found")


async def looping(server: Server, writer: asyncio.StreamWriter) -> None:
    """To itself."""
    _answer(writer, b"", f"Location: http://{server.address}:{PORT}/x", status="302 Found")


async def announcing(server: Server, writer: asyncio.StreamWriter) -> None:
    """A gigabyte, and it means it."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n" + server.page())
    for _ in range(1024):
        writer.write(b"#" * MIB)
        await writer.drain()


async def endless(server: Server, writer: asyncio.StreamWriter) -> None:
    """Chunk after chunk."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = server.page() * 400
    while True:
        writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        await writer.drain()


async def boastful(_server: Server, writer: asyncio.StreamWriter) -> None:
    """Header after header."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


_BOMB = gzip.compress(b"\n" * (256 * MIB))


async def bombing(_server: Server, writer: asyncio.StreamWriter) -> None:
    """A quarter of a gigabyte of nothing, compressed; nobody had asked for that."""
    _answer(writer, _BOMB, "Content-Encoding: gzip")


async def crowded(server: Server, writer: asyncio.StreamWriter) -> None:
    """A million series before ours."""
    _answer(writer, _MILLION + server.page())


async def repeating(server: Server, writer: asyncio.StreamWriter) -> None:
    """Ours, ten thousand times."""
    _answer(writer, server.page() * 10_000)


async def not_a_number(server: Server, writer: asyncio.StreamWriter) -> None:
    """A heartbeat that is none."""
    _answer(writer, server.page(heartbeat="NaN"))


async def infinite(server: Server, writer: asyncio.StreamWriter) -> None:
    """A heartbeat beyond all."""
    _answer(writer, server.page(heartbeat="+Inf"))


async def wordy(server: Server, writer: asyncio.StreamWriter) -> None:
    """A value that is no number."""
    _answer(writer, server.page(up="yes"))


async def long_winded(server: Server, writer: asyncio.StreamWriter) -> None:
    """A label of a megabyte."""
    _answer(writer, server.page(model="x" * MIB))


async def unreadable(server: Server, writer: asyncio.StreamWriter) -> None:
    """A label that is no UTF-8."""
    _answer(writer, server.page(model="MODEL").replace(b"MODEL", b"\xff\xfe"))


async def another(server: Server, writer: asyncio.StreamWriter) -> None:
    """Somebody else's sound engine: the address was given to another pod."""
    _answer(writer, server.page(model="of-another-resource"))


async def web_page(_server: Server, writer: asyncio.StreamWriter) -> None:
    """A login page."""
    _answer(writer, b"<html><body>qwen_engine_up 1</body></html>", "Content-Type: text/html")


async def halved(server: Server, writer: asyncio.StreamWriter) -> None:
    """Less than was announced."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + server.page())


async def closing(_server: Server, _writer: asyncio.StreamWriter) -> None:
    """Ends at once."""


async def dead(server: Server, writer: asyncio.StreamWriter) -> None:
    """A backend that says that its engine is dead."""
    _answer(writer, server.page(up=0))


async def still(server: Server, writer: asyncio.StreamWriter) -> None:
    """A heart that does not beat."""
    _answer(writer, server.page(heartbeat=7))


async def backwards(server: Server, writer: asyncio.StreamWriter) -> None:
    """A clock that was set back, far, and again: it beats all the same."""
    _answer(writer, server.page(heartbeat=-1000 * server.asked))


async def unloaded(server: Server, writer: asyncio.StreamWriter) -> None:
    """A sound engine whose model Triton does not offer."""
    _answer(writer, server.page())


async def mute(server: Server, writer: asyncio.StreamWriter) -> None:
    """A sound engine behind a :8000 that takes the request, and says nothing."""
    _answer(writer, server.page())


METADATA = "127.0.1.250"

SOUND = (sound, padded, backwards)
NO_ANSWER = (
    hanging,
    dripping,
    failing,
    redirecting,
    looping,
    announcing,
    endless,
    boastful,
    bombing,
    crowded,
    repeating,
    not_a_number,
    infinite,
    wordy,
    web_page,
    halved,
    closing,
)
OF_ANOTHER = (long_winded, unreadable, another)
EXPECTED: dict[str, tuple[str, str]] = {
    **{each.__name__: ("Serving", "answer") for each in SOUND},
    **{each.__name__: ("MetricsStale", "no usable answer on :8002") for each in NO_ANSWER},
    **{each.__name__: ("MetricsStale", "another model answers") for each in OF_ANOTHER},
    "doorless": ("Serving", "1 without an OpenAI endpoint on :9000"),
    "unloaded": ("ModelNotOffered", "Triton refuses requests for the model on :8000"),
    "mute": ("ModelNotOffered", "Triton gives no usable answer on :8000"),
    "dead": ("EngineDead", "reports its engine dead"),
    "still": ("MetricsStale", "heartbeat stopped"),
    "nobody": ("MetricsStale", "no usable answer on :8002"),
}
"""Who answers → what the resource's Ready condition says: reason, and part of its message."""


def servers() -> dict[str, Server]:
    """Everybody, by name."""
    behaviours: list[tuple[str, Serve | None]] = [
        (each.__name__, each)
        for each in (*SOUND, *NO_ANSWER, *OF_ANOTHER, dead, still, unloaded, mute, doorless)
    ]
    behaviours.append(("nobody", None))
    return {
        name: Server(name.replace("_", "-"), number, serve)
        for number, (name, serve) in enumerate(behaviours, 1)
    }


@contextmanager
def serving(all_of_them: dict[str, Server]) -> Iterator[Counter[str]]:
    """Serve in a thread; yields who was asked where nobody may be."""
    loop = asyncio.new_event_loop()
    asked: Counter[str] = Counter()

    async def note(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked[METADATA] += 1
        writer.close()

    async def start() -> list[asyncio.Server]:
        there = [each for each in all_of_them.values() if each.serve is not None]
        made = [await asyncio.start_server(each.handle, each.address, PORT) for each in there]
        made += [
            await asyncio.start_server(each.take_requests, each.address, HTTP_PORT)
            for each in there
        ]
        return [*made, await asyncio.start_server(note, METADATA, PORT)]

    async def end(listening: list[asyncio.Server]) -> None:
        for each in listening:
            each.close()
        mine = asyncio.current_task()
        tasks = [each for each in asyncio.all_tasks() if each is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        listening = loop.run_until_complete(start())
    except OSError as problem:
        loop.close()
        raise RuntimeError(
            f"{problem}: something else listens on {PORT} of all addresses"
        ) from None
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.run_until_complete(end(listening))
        loop.close()
