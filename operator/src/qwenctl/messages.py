"""Triton's ModelStreamInfer: what a question is made of, what comes back, and the channel for it.

It needs Triton's own client, which takes a moment to import: commands do so when they ask.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

# Of a connection that breaks we tell ourselves; the library would write to the person's terminal.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from tritonclient.grpc import service_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEBIBYTE = 1 << 20
CHANNEL_OPTIONS = [
    # A channel of its own: grpc would put all streams of a process on one connection.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 16 * _MEBIBYTE),
    # A forwarded port, or one in the cluster: never behind the proxy that the shell names.
    ("grpc.enable_http_proxy", 0),
]


def request(model: str, inputs: Mapping[str, str | bool]) -> Any:  # noqa: ANN401 - protobuf
    """One question by the model's inputs, whose last response is marked as such."""
    made = service_pb2.ModelInferRequest(model_name=model)
    made.parameters["triton_enable_empty_final_response"].bool_param = True
    for name, value in inputs.items():
        is_flag = isinstance(value, bool)
        tensor = made.inputs.add(name=name, datatype="BOOL" if is_flag else "BYTES")
        tensor.shape.append(1)
        content = struct.pack("?", value) if isinstance(value, bool) else _text(value)
        made.raw_input_contents.append(content)
    return made


def _text(value: str) -> bytes:
    # A prompt typed in a terminal of another encoding holds what is no character.
    content = value.encode("utf-8", "replace")
    return struct.pack("<I", len(content)) + content


def is_final(response: Any) -> bool:  # noqa: ANN401 - protobuf
    """Whether nothing follows it."""
    return bool(response.infer_response.parameters["triton_final_response"].bool_param)


def piece(response: Any) -> tuple[str, int] | None:  # noqa: ANN401 - protobuf
    """Text and number of tokens of one response; None where it brings none."""
    found = response.infer_response
    held = {
        tensor.name: content
        for tensor, content in zip(found.outputs, found.raw_output_contents, strict=True)
    }
    text = held.get("response") or held.get("text_output")
    if text is None:
        return None
    count = held.get("num_output_tokens")
    # Several tokens come in one response where the reader is late.
    return text[4:].decode("utf-8", "replace"), struct.unpack("<I", count)[0] if count else 1
