"""A hub of one model on loopback: as much of the Hugging Face hub's API as a download asks for."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = "tests/tiny"
_COMMIT = hashlib.sha1(b"the only one").hexdigest()  # noqa: S324 - a name, as git makes them
_WEIGHTS = ".safetensors"
# Long enough to be seen, short enough to be waited for.
_SLOW_SECONDS = 4.0


class _Handler(http.server.BaseHTTPRequestHandler):
    folder: Path

    def _respond(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _tell(self, found: object) -> None:
        self._respond(200, json.dumps(found).encode(), Content_Type="application/json")

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        names = sorted(each.name for each in self.folder.iterdir())
        if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            self._tell([self._entry(name) for name in names])
        elif path.startswith(f"/api/models/{REPOSITORY}"):
            siblings = [{"rfilename": name} for name in names]
            self._tell({"id": REPOSITORY, "sha": _COMMIT, "siblings": siblings, "tags": []})
        elif path.startswith(f"/{REPOSITORY}/resolve/"):
            self._file(path.rsplit("/", 1)[1])
        else:
            self._respond(404, b"", X_Error_Code="RepoNotFound")

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def _entry(self, name: str) -> dict[str, object]:
        data = (self.folder / name).read_bytes()
        oid = hashlib.sha1(data).hexdigest()  # noqa: S324 - what git calls it
        return {"type": "file", "path": name, "size": len(data), "oid": oid}

    def _file(self, name: str) -> None:
        path = self.folder / name
        if not path.exists():
            self._respond(404, b"", X_Error_Code="EntryNotFound", X_Repo_Commit=_COMMIT)
            return
        data = path.read_bytes()
        if name.endswith(_WEIGHTS) and self.command == "GET":
            time.sleep(_SLOW_SECONDS)
        tag = hashlib.sha256(data).hexdigest()
        self._respond(200, data, ETag=f'"{tag}"', X_Repo_Commit=_COMMIT)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    """Serve a model's folder; yields the address that HF_ENDPOINT wants."""
    handler = type("Handler", (_Handler,), {"folder": folder})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
