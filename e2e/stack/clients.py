"""Asking a served model, the way its users do."""

import contextlib
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from e2e.stack.commands import CommandError, get

_PORT_LINE = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_START_SECONDS = 15


def service_address(name: str, namespace: str = "default") -> str:
    """The Service's cluster IP: reachable from the node, as from any pod."""
    return str(get("service", name, "-n", namespace)["spec"]["clusterIP"])


def _request(url: str, body: dict[str, Any]) -> urllib.request.Request:
    return urllib.request.Request(  # noqa: S310 - an http URL of our own cluster
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )


def generate(base: str, model: str, body: dict[str, Any], timeout: float = 120) -> dict[str, Any]:
    """POST /v2/models/<model>/generate; the JSON answer.

    Raises:
        urllib.error.HTTPError: the server refused.
    """
    request = _request(f"{base}/v2/models/{model}/generate", body)
    with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - as above
        found: dict[str, Any] = json.load(answer)
        return found


def stream(base: str, model: str, body: dict[str, Any]) -> Iterator[tuple[float, str]]:
    """POST …/generate_stream; (seconds since the request, text) for each event."""
    request = _request(f"{base}/v2/models/{model}/generate_stream", {**body, "stream": True})
    started = time.monotonic()
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - as above
        for line in answer:
            if line.startswith(b"data:"):
                event = json.loads(line.removeprefix(b"data:"))
                if "error" in event:
                    raise CommandError(f"the stream ended with an error: {event['error']}")
                yield time.monotonic() - started, str(event.get("response", ""))


@contextlib.contextmanager
def port_forward(target: str, port: int, namespace: str = "default") -> Iterator[int]:
    """`kubectl port-forward` while the context lasts; yields the port on loopback."""
    command = ("kubectl", "-n", namespace, "port-forward", target, f":{port}")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - PIPE above
            deadline = time.monotonic() + _START_SECONDS
            said = ""
            while time.monotonic() < deadline and (line := process.stdout.readline()):
                said += line
                if found := _PORT_LINE.search(line):
                    yield int(found[1])
                    return
            raise CommandError(f"{' '.join(command)} did not begin to forward: {said}")
        finally:
            process.terminate()


def page(url: str) -> str:
    """GET of a page of text."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - of our own cluster
        return str(answer.read().decode())
