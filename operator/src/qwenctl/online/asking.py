"""Asking a served model by Triton's generate_stream, over a forwarded port."""

import http.client
import json
import socket
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from qwen_operator import naming
from qwenctl.errors import ModelError
from qwenctl.online.connection import Cluster
from qwenctl.online.forwarding import connected
from qwenctl.online.members import ready_pods

Json = dict[str, Any]

_CHUNK = 1 << 16
_HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream"}


def model_path(resource: Json) -> str:
    """Where the model answers on port 8000 of its pods."""
    served = resource["spec"]["model"].get("servedName") or resource["metadata"]["name"]
    return f"/v2/models/{served}/generate_stream"


def pieces(lines: Iterable[str]) -> Generator[tuple[str, int]]:
    """Text and number of tokens of each event of a stream of server-sent events.

    Raises:
        ModelError: the model's server ended the stream with an error.
    """
    for line in lines:
        if not line.startswith("data:"):
            continue
        try:
            found = json.loads(line.removeprefix("data:"))
        except ValueError:
            continue
        if "error" in found:
            raise ModelError(f"the model answered with an error: {found['error']}")
        # Several tokens come in one event where the reader is late.
        yield str(found.get("response") or ""), int(found.get("num_output_tokens", 1))


def ask(way: socket.socket, path: str, request: Json) -> Generator[tuple[str, int]]:
    """Text and tokens of each event of an answer.

    Args:
        way: to port 8000 of a pod.
        path: of the model.
        request: generate_stream's body.

    Raises:
        ModelError: the model's server refused.
        EOFError: it broke off.
    """
    asking = http.client.HTTPConnection("model")
    asking.sock = way
    try:
        asking.request("POST", path, json.dumps(request), _HEADERS)
        answer = asking.getresponse()
        if answer.status != http.client.OK:
            said = _refusal(answer.read())
            raise ModelError(f"the model answered {answer.status}: {said}")
        yield from pieces(_lines(answer))
    except http.client.HTTPException as problem:
        raise EOFError("the model's server broke off") from problem


class Door:
    """A served model, asked over a port of one of its pods that is forwarded for each question."""

    def __init__(self, cluster: Cluster, resource: Json) -> None:
        """Nothing is sent yet."""
        self._cluster, self._resource = cluster, resource
        self._path, self._name = model_path(resource), ""

    def _pod(self) -> Json:
        """The pod of before, which holds the conversation in its cache, if it still serves."""
        found = ready_pods(self._cluster, self._resource)
        same = (each for each in found if each["metadata"]["name"] == self._name)
        chosen = next(same, found[0])
        self._name = chosen["metadata"]["name"]
        return chosen

    def ask(self, request: Json) -> Generator[tuple[str, int]]:
        """Text and tokens of each event of an answer.

        Raises:
            NoCluster: there is no way to the pod, or it broke off.
            ModelError: the model's server refused.
        """
        with connected(self._cluster, self._pod(), naming.HTTP_PORT) as way:
            yield from ask(way, self._path, request)


def _lines(answer: http.client.HTTPResponse) -> Iterator[str]:
    """Lines as they come; http.client's own end quietly where a server breaks off."""
    rest = b""
    while part := answer.read1(_CHUNK):
        *whole, rest = (rest + part).split(b"\n")
        yield from (each.decode("utf-8", "replace") for each in whole)
    yield rest.decode("utf-8", "replace")


def _refusal(body: bytes) -> str:
    # generate_stream sends its refusals as an event, generate as they are.
    text = body.decode("utf-8", "replace").strip().removeprefix("data:").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, LookupError, TypeError):
        return text[:500]
