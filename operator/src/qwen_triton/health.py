"""The small HTTP server of :9000 that answers /health before, beside and after the engine."""

from __future__ import annotations

import errno
import json
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from qwen_triton.liveness import STUCK, Phase
from qwen_triton.settings import BadSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwen_triton.liveness import Liveness

HEALTH_PATH = "/health"
GUARD_SECONDS = 0.5
# A model that was unloaded answers here until its last stream has ended; who loads it again at once
# comes while it still does.
PATIENCE_SECONDS = 45.0
_LOOK_AGAIN_SECONDS = 0.1


def health_answer(liveness: Liveness, facts: Mapping[str, str]) -> tuple[HTTPStatus, bytes]:
    """Status and JSON body of /health: 200 only while the model can answer."""
    pulse, verdict = liveness.pulse, liveness.verdict()
    body: dict[str, object] = {"status": verdict.status, "phase": pulse.phase.value, **facts}
    body["phases"] = {name: round(moment, 3) for name, moment in liveness.entered.items()}
    if pulse.phase is Phase.DOWNLOADING and liveness.download is not None:
        body["download"] = dict(liveness.download())
    if verdict.reason:
        body["reason"] = verdict.reason
    status = HTTPStatus.OK if verdict.alive else HTTPStatus.SERVICE_UNAVAILABLE
    return status, json.dumps(body).encode()


def listen(port: int, patience: float = PATIENCE_SECONDS) -> socket.socket:
    """A socket on every address of the pod, IPv6 too where the machine has it.

    Args:
        port: its number.
        patience: seconds to wait for a taken port to become free.

    Raises:
        BadSettings: when the port is taken, and stays so.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            if socket.has_dualstack_ipv6():
                return socket.create_server(
                    ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
                )
            return socket.create_server(("", port), backlog=1024)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise BadSettings(
                    f"parameter health_port: cannot listen on {port}: {error.strerror};"
                    " choose a free port"
                ) from error
        time.sleep(_LOOK_AGAIN_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    """Answers /health; everything else is not here (yet)."""

    server: _Server
    # A client that connects and says nothing must not keep its thread for ever.
    timeout = 5.0

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == HEALTH_PATH:
            status, body = health_answer(self.server.liveness, self.server.facts)
        else:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            body = b'{"error": {"message": "the model is not being served", "code": 503}}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET  # noqa: N815  the names are http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Probes come every second; a line for each would drown the log."""


class _Server(ThreadingHTTPServer):
    """http.server over a listening socket that it shares and never closes."""

    daemon_threads = True

    def __init__(
        self, listener: socket.socket, liveness: Liveness, facts: Mapping[str, str]
    ) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.liveness = liveness
        self.facts = facts

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early is no event."""


class HealthServer:
    """Serves /health in a thread of its own, so that a stuck loop cannot silence it."""

    def __init__(
        self, listener: socket.socket, liveness: Liveness, facts: Mapping[str, str]
    ) -> None:
        self.listener = listener
        self.liveness = liveness
        self.facts = facts
        self._server = _Server(listener, liveness, facts)
        self._thread: threading.Thread | None = None
        self._guard: threading.Thread | None = None
        self._guard_ends = threading.Event()

    def resume(self) -> None:
        """Answer the port."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._server.serve_forever,
                kwargs={"poll_interval": 0.1},
                name="health",
                daemon=True,
            )
            self._thread.start()

    def pause(self) -> None:
        """Answer the port no more; what connects now waits for whoever shares the socket."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None

    def hand_over(self) -> None:
        """Leave the port to a server on the engine's loop, and stand in while that is stuck."""
        self.pause()
        self._guard = threading.Thread(target=self._stand_in, name="health-guard", daemon=True)
        self._guard.start()

    def take_back(self) -> None:
        """The other server ends: answer the port again."""
        if self._guard is not None:
            self._guard_ends.set()
            self._guard.join()
            self._guard = None
        self.resume()

    def close(self) -> None:
        """Stop and free the port."""
        self.take_back()
        self.pause()
        self.listener.close()

    def _stand_in(self) -> None:
        while not self._guard_ends.wait(GUARD_SECONDS):
            if self.liveness.verdict().status == STUCK:
                self.resume()
            else:
                self.pause()
