"""An API server in this process: objects and refusals, over HTTP as the client speaks it."""

import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Json = dict[str, Any]


class Api(ThreadingHTTPServer):
    """What it answers, and what it was asked.

    Attributes:
        answers: (method, path) → an object, a text, a status with an object, or a function
            that gives the parts of a stream.
        asked: method, path, query and body of every request.
        left: readers of streams that left before the end.
        pods: port of a pod → the port here that answers for it, or what kubelet says instead;
            this server itself for all others.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[tuple[str, str], Any] = {}
        self.left = 0
        self.pods: dict[int, int | str] = {}
        self.asked: list[tuple[str, str, dict[str, list[str]], Any]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def holds(self, path: str, answer: Any, method: str = "GET") -> None:
        """Answer a path from now on."""
        self.answers[method, path] = answer


class _Handler(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        if self.headers.get("Upgrade") and ("GET", parts.path) not in self.server.answers:
            self._forward()
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, parts.path, parse_qs(parts.query), body))
        missing = (404, {"message": f"the server could not find {parts.path}"})
        answer = self.server.answers.get((self.command, parts.path), missing)
        if callable(answer):
            self._stream(answer())
            return
        code, content = answer if isinstance(answer, tuple) else (200, answer)
        sent = content if isinstance(content, str) else json.dumps(content)
        self.send_response(code)
        self.send_header("Content-Length", str(len(sent.encode())))
        self.end_headers()
        self.wfile.write(sent.encode())

    def _stream(self, parts: Iterable[str]) -> None:
        """Parts as they come, until the reader leaves."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for part in chain(parts, [""]):
                content = part.encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
                self.wfile.flush()
        except OSError:
            self.server.left += 1
            self.close_connection = True

    def _forward(self) -> None:
        """A forwarded port of a pod."""
        parts = urlsplit(self.path)
        self.server.asked.append(("GET", parts.path, parse_qs(parts.query), None))
        asked = int(parse_qs(parts.query)["ports"][0])
        behind = self.server.pods.get(asked, self.server.server_port)
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest())  # noqa: S324 - RFC 6455
        self.send_header("Sec-WebSocket-Accept", accept.decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self.close_connection = True
        for channel in (0, 1):
            self.wfile.write(_frame(bytes((channel,)) + struct.pack("<H", asked)))
        if isinstance(behind, str):
            self.wfile.write(_frame(b"\1" + behind.encode()))
            return
        # Either end may leave first.
        with suppress(OSError), socket.create_connection(("127.0.0.1", behind)) as pod:
            threading.Thread(target=self._from_pod, args=(pod,), daemon=True).start()
            while content := _payload(self.rfile):
                pod.sendall(content[1:])
            pod.shutdown(socket.SHUT_RDWR)

    def _from_pod(self, pod: socket.socket) -> None:
        with suppress(OSError):
            while data := pod.recv(65536):
                self.wfile.write(_frame(b"\0" + data))
            self.wfile.write(b"\x88\x00")

    do_GET = do_POST = _answer  # noqa: N815 - http.server calls these

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _frame(content: bytes) -> bytes:
    """A binary frame of RFC 6455, as a server sends it."""
    size = len(content)
    short = 126
    length = bytes((size,)) if size < short else bytes((short,)) + struct.pack(">H", size)
    return b"\x82" + length + content


def _payload(reader: Any) -> bytes:
    """What a client's next binary frame holds; empty where it leaves."""
    head = reader.read(2)
    if len(head) < 2 or head[0] & 15 != 2:
        return b""
    size = head[1] & 127
    if size == 126:
        (size,) = struct.unpack(">H", reader.read(2))
    mask = reader.read(4)
    masked = reader.read(size)
    return bytes(each ^ mask[at % 4] for at, each in enumerate(masked))


@contextmanager
def serving() -> Iterator[Api]:
    """One that answers until the block ends."""
    with Api() as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield api
        finally:
            api.shutdown()
            thread.join()


def kubeconfig(folder: Path, server: str, namespace: str | None = "models") -> Path:
    """A kubeconfig that leads to it, with a second context that leads nowhere."""
    path = folder / "kubeconfig"
    inside = {} if namespace is None else {"namespace": namespace}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [
            {"name": "here", "cluster": {"server": server}},
            {"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}},
        ],
        "users": [{"name": "me", "user": {"token": "mine"}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "me", **inside}}
            for name in ("here", "nowhere")
        ],
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path
