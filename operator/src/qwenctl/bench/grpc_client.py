"""A client of Triton's ModelStreamInfer: one bidirectional call a stream, as tritonclient opens."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import TYPE_CHECKING, Any

import grpc.aio
from tritonclient.grpc import service_pb2, service_pb2_grpc

from qwenctl.bench.samples import Sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_MEBIBYTE = 1 << 20


class GrpcStream:
    """One call that carries one question after another."""

    def __init__(self, host: str, port: int, model: str) -> None:
        self._model = model
        self._questions: asyncio.Queue[Any] = asyncio.Queue()
        # A channel of its own: grpc would put all streams of a process on one connection.
        self._channel = grpc.aio.insecure_channel(
            f"{host}:{port}",
            options=[
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_receive_message_length", 16 * _MEBIBYTE),
            ],
        )
        stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._answers = stub.ModelStreamInfer(self._ask_all())

    async def _ask_all(self) -> AsyncIterator[Any]:
        while (question := await self._questions.get()) is not None:
            yield question

    async def ask(self, text: str, sampling: str) -> Sample:
        """Send one question and wait for the last response to it."""
        sample = Sample(time.monotonic())
        await self._questions.put(_request(self._model, text, sampling))
        while True:
            response = await self._answers.read()
            now = time.monotonic()
            if response is grpc.aio.EOF:
                sample.error = "the call has ended"
                return sample
            if response.error_message:
                sample.error = response.error_message
                return sample
            infer: Mapping[str, Any] = response.infer_response.parameters
            if response.infer_response.outputs:
                sample.at.append(now)
            if infer["triton_final_response"].bool_param:
                return sample

    async def close(self) -> None:
        """End the call."""
        await self._questions.put(None)
        await self._channel.close()


def _request(model: str, text: str, sampling: str) -> Any:  # noqa: ANN401  protobuf
    request = service_pb2.ModelInferRequest(model_name=model)
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    contents = {"text_input": text.encode(), "sampling_parameters": sampling.encode()}
    for name, content in contents.items():
        tensor = request.inputs.add(name=name, datatype="BYTES")
        tensor.shape.append(1)
        request.raw_input_contents.append(struct.pack("<I", len(content)) + content)
    tensor = request.inputs.add(name="stream", datatype="BOOL")
    tensor.shape.append(1)
    request.raw_input_contents.append(b"\x01")
    return request
