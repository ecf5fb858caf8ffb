"""A Triton in this process, as far as ModelStreamInfer goes: its questions and its answers."""

import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from tritonclient.grpc import service_pb2

Json = dict[str, Any]


class Refusal(Exception):
    """Answered instead of a response."""


class Triton:
    """One that serves any model.

    Attributes:
        answer: gives the pieces of each answer from now on; may raise Refusal.
        asked: the inputs of every request, with the model's name as `model`.
        port: where it listens.
        ended: set when a call has ended, in whichever way.
        hang_up: ends every connection.
    """

    def __init__(self) -> None:
        self.answer: Callable[[], Iterable[str]] = lambda: ["Hel", "lo"]
        self.asked: list[Json] = []
        self.port = 0
        self.ended = threading.Event()
        self.hang_up: Callable[[], None] = lambda: None

    def answer_all(self, requests: Iterable[Any], context: Any) -> Iterator[Any]:
        """Answer one request after another."""
        context.add_callback(self.ended.set)
        for request in requests:
            self.asked.append({"model": request.model_name, **_inputs(request)})
            try:
                yield from map(_response, self.answer())
            except Refusal as refusal:
                yield service_pb2.ModelStreamInferResponse(error_message=str(refusal))
            else:
                yield _last()


def _inputs(request: Any) -> Json:
    pairs = zip(request.inputs, request.raw_input_contents, strict=True)
    return {
        tensor.name: content == b"\x01" if tensor.datatype == "BOOL" else content[4:].decode()
        for tensor, content in pairs
    }


def _response(text: str) -> Any:
    made = service_pb2.ModelStreamInferResponse()
    content = text.encode()
    for name, kind, raw in (
        ("response", "BYTES", struct.pack("<I", len(content)) + content),
        ("num_output_tokens", "UINT32", struct.pack("<I", 1)),
    ):
        made.infer_response.outputs.add(name=name, datatype=kind).shape.append(1)
        made.infer_response.raw_output_contents.append(raw)
    return made


def _last() -> Any:
    made = service_pb2.ModelStreamInferResponse()
    made.infer_response.parameters["triton_final_response"].bool_param = True
    return made


@contextmanager
def running() -> Iterator[Triton]:
    """One that answers until the block ends."""
    triton = Triton()
    server = grpc.server(ThreadPoolExecutor(4))
    method = grpc.stream_stream_rpc_method_handler(
        triton.answer_all,
        request_deserializer=service_pb2.ModelInferRequest.FromString,
        response_serializer=service_pb2.ModelStreamInferResponse.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler(
        "inference.GRPCInferenceService", {"ModelStreamInfer": method}
    )
    server.add_generic_rpc_handlers([service])
    triton.port = server.add_insecure_port("127.0.0.1:0")

    def hang_up() -> None:
        server.stop(0)

    triton.hang_up = hang_up
    server.start()
    try:
        yield triton
    finally:
        server.stop(None).wait()
