"""Streams that run side by side while a test does harm to the server, and how each ended."""

from __future__ import annotations

import http.client
import json
import threading
from typing import TYPE_CHECKING

from tests.backend.real.clients import MODEL, GrpcStream

if TYPE_CHECKING:
    from tests.backend.real.server import Triton

_DATA = b"data: "


class HttpStream:
    """One generate_stream call for so many tokens, and what came back."""

    def __init__(self, port: int, wanted: int) -> None:
        self._port = port
        self._wanted = wanted
        self.texts: list[str] = []
        self.errors: list[str] = []
        self.tokens = 0
        self.begun = threading.Event()
        self.ended = threading.Event()

    def ask(self, **values: object) -> None:
        """Send one request with these inputs; returns at once."""
        threading.Thread(target=self._follow, args=(values,), daemon=True).start()

    def close(self) -> None:
        """It ends when its answer does, or its server."""

    def _follow(self, values: dict[str, object]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            connection.request(
                "POST", f"/v2/models/{MODEL}/generate_stream", body=json.dumps(values)
            )
            for line in connection.getresponse():
                if line.startswith(_DATA):
                    self._hear(json.loads(line.removeprefix(_DATA)))
        except (OSError, http.client.HTTPException) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()
            # A connection that ends between two chunks raises nothing.
            if not self.errors and self.tokens < self._wanted:
                self.errors.append(f"ended after {self.tokens} tokens")
            self.ended.set()

    def _hear(self, said: dict[str, object]) -> None:
        if "error" in said:
            self.errors.append(str(said["error"]))
            return
        self.texts.append(str(said["response"]))
        self.tokens += int(str(said.get("num_output_tokens", 0)))
        self.begun.set()


Stream = GrpcStream | HttpStream


def streams(triton: Triton, tokens: int, each: int = 4) -> list[Stream]:
    """So many long answers by each door of Triton's, all of which have begun."""
    made: list[Stream] = [GrpcStream(triton.grpc_port) for _ in range(each)]
    made += [HttpStream(triton.http_port, tokens) for _ in range(each)]
    sampling = json.dumps({"max_tokens": tokens, "ignore_eos": True, "temperature": 0})
    for stream in made:
        stream.ask(
            prompt="Hello", stream=True, sampling_parameters=sampling, return_num_output_tokens=True
        )
    for stream in made:
        assert stream.begun.wait(60), stream.errors
    return made
