"""A client of Triton's ModelStreamInfer: one bidirectional call a stream, as tritonclient opens."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import grpc.aio
from tritonclient.grpc import service_pb2_grpc

from qwenctl.bench.samples import Sample
from qwenctl.messages import CHANNEL_OPTIONS, is_final, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class GrpcStream:
    """One call that carries one question after another."""

    def __init__(self, host: str, port: int, model: str) -> None:
        self._model = model
        self._questions: asyncio.Queue[Any] = asyncio.Queue()
        self._channel = grpc.aio.insecure_channel(f"{host}:{port}", options=CHANNEL_OPTIONS)
        stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._answers = stub.ModelStreamInfer(self._ask_all())

    async def _ask_all(self) -> AsyncIterator[Any]:
        while (question := await self._questions.get()) is not None:
            yield question

    async def ask(self, text: str, sampling: str) -> Sample:
        """Send one question and wait for the last response to it."""
        sample = Sample(time.monotonic())
        await self._questions.put(
            request(
                self._model, {"text_input": text, "sampling_parameters": sampling, "stream": True}
            )
        )
        while True:
            response = await self._answers.read()
            now = time.monotonic()
            if response is grpc.aio.EOF:
                sample.error = "the call has ended"
                return sample
            if response.error_message:
                sample.error = response.error_message
                return sample
            if response.infer_response.outputs:
                sample.at.append(now)
            if is_final(response):
                return sample

    async def close(self) -> None:
        """End the call."""
        await self._questions.put(None)
        await self._channel.close()
