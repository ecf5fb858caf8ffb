"""A pod that downloads its weights: how much it has, in the resource's status, while it lasts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integration.api import QWENS, Api, Json, eventually, resource
from tests.integration.pods import make_ready
from tests.integration.process import OperatorProcess

ADDRESS = "127.0.9.77"
TOTAL = 16_000_000_000


class Backend(ThreadingHTTPServer):
    """A pod's :9000 while its model loads.

    Attributes:
        told: the body of /health.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((ADDRESS, 9000), _Health)
        self.told: Json = {}


class _Health(BaseHTTPRequestHandler):
    server: Backend

    def do_GET(self) -> None:
        body = json.dumps(self.server.told).encode()
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def loading() -> Iterator[Backend]:
    with Backend() as backend:
        threading.Thread(target=backend.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield backend
        finally:
            backend.shutdown()


def downloading(done: int, total: int | None) -> Json:
    amounts = {"bytes": done} | ({} if total is None else {"total": total})
    return {"phase": "downloading", "phases": {"downloading": 1767225600}, "download": amounts}


def told(api: Api, namespace: str) -> Json:
    return ((api.one(QWENS, namespace, "fetching") or {}).get("status") or {}).get("download") or {}


def is_told(api: Api, namespace: str, wanted: Json) -> bool:
    return {key: value for key, value in told(api, namespace).items() if key != "pod"} == wanted


def test_a_download_is_told_with_its_bytes_until_it_is_over(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    api.create(QWENS, namespace, resource("fetching"))
    with loading() as backend:
        backend.told = downloading(TOTAL // 10 + 5, TOTAL)
        pod = make_ready(api, namespace, "fetching", ADDRESS, is_ready=False)
        for done, wanted in (
            (TOTAL // 10 + 5, {"bytes": TOTAL // 10, "totalBytes": TOTAL}),
            (TOTAL // 2, {"bytes": TOTAL // 2, "totalBytes": TOTAL}),
        ):
            backend.told = downloading(done, TOTAL)
            eventually(f"{wanted}", partial(is_told, api, namespace, wanted), 60)
        assert told(api, namespace)["pod"] == pod["metadata"]["name"]
        backend.told = {"phase": "loading", "phases": {"downloading": 1, "loading": 1767225700}}
        eventually("nothing more is told", partial(is_told, api, namespace, {}), 60)
    assert "Traceback" not in operator.log
