"""Who asked the API server for what, and when, out of its own audit log: times are the server's."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

WRITES = {"create", "update", "patch", "delete", "deletecollection"}
OPERATOR_AGENT = "qwen-operator"
"""How the operator introduces itself; its watches, which only read, say kopf."""
BENCH_AGENT = "bench-scale"


@dataclass(frozen=True, slots=True)
class Request:
    """One finished request.

    Attributes:
        agent: the client's name for itself.
        verb: Kubernetes' verb: get, list, create, patch and so on.
        resource: plural, with the subresource after a slash.
        name: the object's name, empty for a list.
        received: when it came in, unix seconds.
        completed: when it was answered, unix seconds.
        code: HTTP status.
    """

    agent: str
    verb: str
    resource: str
    name: str
    received: float
    completed: float
    code: int


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _request(line: bytes) -> Request | None:
    event = json.loads(line)
    if event["stage"] != "ResponseComplete" or "objectRef" not in event:
        return None
    where = event["objectRef"]
    below = f"/{where['subresource']}" if where.get("subresource") else ""
    return Request(
        event.get("userAgent", ""),
        event["verb"],
        where["resource"] + below,
        where.get("name", ""),
        _seconds(event["requestReceivedTimestamp"]),
        _seconds(event["stageTimestamp"]),
        int(event["responseStatus"]["code"]),
    )


class AuditLog:
    """The requests of the operator and of this benchmark, as they are appended to the log."""

    def __init__(self, path: Path) -> None:
        """Begin at the present end of the log."""
        self._path = path
        self._file = path.open("rb")
        self._file.seek(0, os.SEEK_END)
        self._rest = b""
        self._seen: list[Request] = []

    def close(self) -> None:
        """Stop reading."""
        self._file.close()

    def _lines(self, file: IO[bytes]) -> Iterator[bytes]:
        *whole, self._rest = (self._rest + file.read()).split(b"\n")
        yield from whole

    def _appended(self) -> Iterator[bytes]:
        yield from self._lines(self._file)
        # The server moves a full log aside and begins another.
        if self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino:
            yield from self._lines(self._file)
            self._file.close()
            self._file, self._rest = self._path.open("rb"), b""
            yield from self._lines(self._file)

    def requests(self) -> list[Request]:
        """Every request so far."""
        wanted = (OPERATOR_AGENT.encode(), BENCH_AGENT.encode())
        for line in self._appended():
            if any(agent in line for agent in wanted) and (found := _request(line)) is not None:
                self._seen.append(found)
        return self._seen

    def since(self, moment: float, agent: str) -> list[Request]:
        """Requests of one client that came in after a moment (unix seconds)."""
        return [
            each
            for each in self.requests()
            if each.received >= moment and each.agent.startswith(agent)
        ]
