"""Clients of a served model, plain enough to see what comes over the wire."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import tritonclient.grpc as triton_grpc

MODEL = "tiny-qwen"

# Longer than any test looks at it.
LONG = json.dumps({"max_tokens": 900, "ignore_eos": True})


def ask(
    url: str, body: object | None = None, timeout: float = 60.0, key: str | None = None
) -> tuple[int, bytes]:
    """Status and body of one HTTP exchange; status 0 when nobody answers. Bytes go as they are."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310  loopback only
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return 0, b""


class GrpcStream:
    """One ModelStreamInfer call and what came back.

    Never with the header `triton_grpc_error`: in Triton 24.10 it now and then ends the server.
    """

    def __init__(self, port: int) -> None:
        self.client = triton_grpc.InferenceServerClient(f"127.0.0.1:{port}")
        self.texts: list[str] = []
        self.errors: list[str] = []
        self.tokens = 0
        self.begun = threading.Event()
        self.ended = threading.Event()

    def ask(self, **values: str | bytes | bool) -> None:
        """Send one request with these inputs."""
        self.client.start_stream(self._came)
        inputs = []
        for name, value in values.items():
            kind, dtype = ("BOOL", np.bool_) if isinstance(value, bool) else ("BYTES", np.object_)
            raw = value.encode() if isinstance(value, str) else value
            inputs.append(triton_grpc.InferInput(name, [1], kind))
            inputs[-1].set_data_from_numpy(np.array([raw], dtype=dtype))
        self.client.async_stream_infer(MODEL, inputs, enable_empty_final_response=True)

    def close(self) -> None:
        """Go away, in the middle of an answer if need be."""
        self.client.stop_stream(cancel_requests=True)
        self.client.close()

    def _came(self, result: Any, error: Any) -> None:
        if error is not None:
            self.errors.append(str(error))
            self.ended.set()
            return
        if (part := result.as_numpy("response")) is not None:
            self.texts.append(part[0].decode())
        if (count := result.as_numpy("num_output_tokens")) is not None:
            self.tokens += int(count[0])
        self.begun.set()
        if result.get_response().parameters["triton_final_response"].bool_param:
            self.ended.set()
