"""The end of the server that the other tests share; hence this file's name: it runs last."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.clients import LONG, GrpcStream
from tests.backend.real.server import until

if TYPE_CHECKING:
    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton


def test_a_stopping_server_lets_running_streams_finish(triton: Triton) -> None:
    stream = GrpcStream(triton.grpc_port)
    stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG, return_num_output_tokens=True)
    assert stream.begun.wait(10)
    os.kill(triton.pid_of("tritonserver"), signal.SIGTERM)
    assert stream.ended.wait(60)
    assert stream.errors == []
    assert stream.tokens == 900
    # An open gRPC stream keeps its model loaded until the server's exit timeout.
    stream.close()
    until(lambda: triton.process.poll() is not None, 40, "the server ends")
