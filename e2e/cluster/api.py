"""Ask the API server and the components' health addresses, over plain http.client."""

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from e2e.cluster.addresses import API_URL
from e2e.cluster.certificates import AUTHORITY
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout

TIMEOUT = 5.0
MERGE = "application/merge-patch+json"
ERRORS = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    body: str


def context(layout: Layout) -> ssl.SSLContext:
    """Trust in the cluster's authority, and the administrator's certificate."""
    pki = layout.certificates
    trust = ssl.create_default_context(cafile=str(pki / f"{AUTHORITY}.crt"))
    trust.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))
    return trust


def ask(
    layout: Layout, url: str, *, method: str = "GET", body: str = "", kind: str = MERGE
) -> Answer:
    """Send one request; an OSError when nobody answers."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=TIMEOUT, context=context(layout)
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, path, body or None, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode())
    except http.client.HTTPException as broken:
        raise ConnectionError(f"{url}: {broken}") from broken
    finally:
        connection.close()


def is_ready(layout: Layout, ready: str) -> bool:
    """Whether a component's ready address, a URL or a socket's path, answers well."""
    try:
        if ready.startswith("/"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(TIMEOUT)
                client.connect(ready)
            return True
        return ask(layout, ready).status == http.client.OK
    except OSError:
        return False


def call(layout: Layout, method: str, path: str, change: object = None) -> Any:  # noqa: ANN401 the API's JSON
    """Call the API server, and read its JSON; None when the object does not exist.

    Raises:
        ClusterError: the API server refused, or nobody answered.
    """
    body = "" if change is None else json.dumps(change)
    kind = MERGE if method == "PATCH" else "application/json"
    try:
        answer = ask(layout, API_URL + path, method=method, body=body, kind=kind)
    except OSError as unreachable:
        raise ClusterError(
            f"{method} {API_URL}{path} got no answer: {unreachable}. "
            "See `python -m e2e.cluster status`."
        ) from unreachable
    if answer.status == http.client.NOT_FOUND:
        return None
    if answer.status >= ERRORS:
        raise ClusterError(f"{method} {API_URL}{path} was answered {answer.status}: {answer.body}")
    return json.loads(answer.body)
