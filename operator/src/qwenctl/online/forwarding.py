"""A port of a pod, reached through the API server and kubelet as `kubectl port-forward` reaches it.

No NetworkPolicy stands in this way, and nothing has to be exposed for it.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from qwen_operator.errors import OperatorError
from qwenctl.online.connection import Cluster

_DATA, _CHUNK = 0, 1 << 16
_END_SECONDS = 2.0
_BINARY, _CLOSE = 2, 8
"""Opcodes of WebSocket's frames."""


class _Tunnel:
    """One connection: bytes of a local socket to the pod's port, and back."""

    def __init__(self, way: Any, local: socket.socket) -> None:  # noqa: ANN401 - a WebSocket
        self._way, self._local = way, local
        self.refusal = ""
        self._threads = [
            threading.Thread(target=work, name="forward", daemon=True)
            for work in (self._there, self._back)
        ]
        for each in self._threads:
            each.start()

    def _there(self) -> None:
        # Whatever ends the WebSocket is no OSError.
        with suppress(Exception):
            while data := self._local.recv(_CHUNK):
                self._way.send_binary(bytes((_DATA,)) + data)
        self._hang_up()

    def _back(self) -> None:
        begun: set[int] = set()
        with suppress(Exception):
            while True:
                opcode, frame = self._way.recv_data_frame(control_frame=True)
                if opcode == _CLOSE:
                    break
                if opcode != _BINARY or not frame.data:
                    continue
                channel, content = frame.data[0], frame.data[1:]
                if channel not in begun:
                    # The first frame of a channel repeats the port.
                    begun.add(channel)
                elif channel == _DATA:
                    self._local.sendall(content)
                else:
                    self.refusal += content.decode("utf-8", "replace")
                    break
        self._hang_up()

    def _hang_up(self) -> None:
        """Wake whoever waits at either end."""
        for each in (self._local, self._way.sock):
            with suppress(OSError, AttributeError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End both directions."""
        self._hang_up()
        for each in self._threads:
            each.join(_END_SECONDS)
        self._local.close()
        self._way.shutdown()


def _dial(cluster: Cluster, pod: Mapping[str, Any], port: int) -> Any:  # noqa: ANN401 - as above
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/portforward"
    attempt = f"forward port {port} of pod {metadata['name']}"
    return cluster.websocket(attempt, path, {"ports": str(port)})


class _Listener:
    """A port of this machine that leads to one of a pod.

    Attributes:
        failure: why the API server did not lead there; None where it did.
    """

    def __init__(self, cluster: Cluster, pod: Mapping[str, Any], port: int) -> None:
        self._cluster, self._pod, self._port = cluster, pod, port
        self._door = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._tunnels: list[_Tunnel] = []
        self.failure: OperatorError | None = None
        threading.Thread(target=self._accept, name="listener", daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._door.getsockname()[1])

    @property
    def refusal(self) -> str:
        """What kubelet said of a port that it could not reach; empty where it did."""
        return next((each.refusal.strip() for each in self._tunnels if each.refusal), "")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                local, _ = self._door.accept()
                threading.Thread(target=self._serve, args=(local,), daemon=True).start()

    def _serve(self, local: socket.socket) -> None:
        try:
            way = _dial(self._cluster, self._pod, self._port)
        except OperatorError as problem:
            self.failure = problem
            local.close()
            return
        local.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tunnels.append(_Tunnel(way, local))

    def close(self) -> None:
        """Listen no more, and end what is under way."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for each in self._tunnels:
            each.close()


@contextmanager
def listening(cluster: Cluster, pod: Mapping[str, Any], port: int) -> Iterator[_Listener]:
    """A local port that leads to one of a pod, for clients that want an address."""
    listener = _Listener(cluster, pod, port)
    try:
        yield listener
    finally:
        listener.close()
