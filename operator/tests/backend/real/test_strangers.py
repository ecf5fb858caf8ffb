"""Bytes that mean nothing, on every input of every port: refused in words, and nobody else notices.

The same bytes each time; QWEN_FUZZ_SEED makes others, QWEN_FUZZ_COUNT more of them.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.backend.real.clients import MODEL, ask
from tests.backend.real.server import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton

SEED = int(os.environ.get("QWEN_FUZZ_SEED", "1"))
COUNT = int(os.environ.get("QWEN_FUZZ_COUNT", "12"))
TEXTS = ("prompt", "text_input", "history", "sampling_parameters", "tools", "chat_template_kwargs")
FLAGS = ("stream", "exclude_input_in_output", "return_finish_reason", "return_logprobs")
SHORT = json.dumps({"max_tokens": 1}).encode()
# Triton says that it failed to process a request whose model has raised.
FAULTS_OF_OURS = re.compile(
    r"INTERNAL|Traceback|Failed to process|could not be made|the engine failed"
)


def chance_of(what: str) -> random.Random:
    """The same for the same test, whichever others run."""
    return random.Random(f"{SEED} {what}")  # noqa: S311  noise, no secrets


def noise(chance: random.Random) -> bytes:
    """Bytes, text of any alphabet, JSON-like text, JSON."""
    length = chance.choice((0, 1, 3, 30, 300, 3000))
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(length)
    if kind == 1:
        return "".join(
            chr(chance.choice((chance.randrange(0xD800), 0x1F300))) for _ in range(length)
        ).encode()
    if kind == 2:
        return "".join(chance.choice('{}[]":,\\ue09aN\n-') for _ in range(length)).encode()
    return json.dumps(value(chance, 4)).encode()


SCALARS = (
    *(None, True, False, 0, -1, 1, 2**31, 2**64, 10**400, 0.0, -0.5, 1e308, 1e-320),
    *("", "user", "\x00", "ü🌊", "a" * 500, "json"),
)
NAMES = ("max_tokens", "n", "role", "content", "function", "name", "seed", "logit_bias", "x")


def value(chance: random.Random, depth: int) -> Any:
    """A JSON value, with names that mean something now and then."""
    kind = chance.randrange(4) if depth else 0
    if kind == 1:
        return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    if kind == 2:
        return {chance.choice(NAMES): value(chance, depth - 1) for _ in range(chance.randrange(4))}
    return chance.choice(SCALARS)


def is_well(triton: Triton) -> None:
    """The server answers as if nothing had been."""
    status, said = triton.generate({"prompt": "Hello", "sampling_parameters": SHORT.decode()})
    assert status == 200, said
    assert triton.health()[0] == 200


def asked_by_grpc(triton: Triton, tensors: dict[str, bytes | bool]) -> list[str]:
    """The errors of one request."""
    client = triton_grpc.InferenceServerClient(f"127.0.0.1:{triton.grpc_port}")
    errors: list[str] = []
    ended: list[bool] = []

    def came(result: Any, error: Any) -> None:
        if error is not None:
            errors.append(str(error))
        if (
            error is not None
            or result.get_response().parameters["triton_final_response"].bool_param
        ):
            ended.append(True)

    inputs = []
    for name, given in tensors.items():
        is_flag = isinstance(given, bool)
        inputs.append(triton_grpc.InferInput(name, [1], "BOOL" if is_flag else "BYTES"))
        inputs[-1].set_data_from_numpy(np.array([given], dtype=np.bool_ if is_flag else np.object_))
    client.start_stream(came)
    client.async_stream_infer(MODEL, inputs, enable_empty_final_response=True)
    until(lambda: ended, 60, "an answer or an error")
    client.stop_stream()
    client.close()
    return errors


@pytest.mark.parametrize("name", TEXTS)
def test_noise_in_an_input_is_understood_or_refused(triton: Triton, name: str) -> None:
    chance = chance_of(name)
    for given in (b"\xff", *(noise(chance) for _ in range(COUNT))):
        tensors: dict[str, bytes | bool] = {"prompt": b"Hello", "sampling_parameters": SHORT}
        if name == "text_input":
            del tensors["prompt"]
        tensors[name] = given
        tensors |= {flag: chance.random() < 0.5 for flag in FLAGS}
        for error in asked_by_grpc(triton, tensors):
            assert not FAULTS_OF_OURS.search(error), (tensors, error)
    is_well(triton)


@pytest.mark.parametrize("verb", ["generate", "generate_stream"])
def test_any_json_is_understood_or_refused(triton: Triton, verb: str) -> None:
    chance = chance_of(verb)
    for _ in range(COUNT):
        body = {
            chance.choice((*TEXTS, *FLAGS, "priority", "x")): value(chance, 3) for _ in range(3)
        }
        body.setdefault("sampling_parameters", SHORT.decode())
        status, said = triton.generate(body, stream=verb == "generate_stream")
        assert status == 200 or status >= 400, body
        assert not FAULTS_OF_OURS.search(said.decode(errors="replace")), (body, said)
    is_well(triton)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/tokenize"])
def test_the_openai_endpoint_refuses_what_it_cannot_read(triton: Triton, path: str) -> None:
    chance = chance_of(path)
    for _ in range(COUNT):
        body = {"model": MODEL, "max_tokens": 1, "prompt": value(chance, 2)}
        body |= {"messages": value(chance, 3), "tools": value(chance, 2)}
        status, said = ask(f"http://127.0.0.1:{triton.health_port}{path}", body)
        assert status == 200 or 400 <= status < 500, (body, said)
    is_well(triton)


@pytest.mark.parametrize("port", ["http_port", "grpc_port", "metrics_port", "health_port"])
def test_bytes_of_no_protocol_on_a_port_disturb_nobody(triton: Triton, port: str) -> None:
    chance = chance_of(port)
    heads: tuple[Callable[[], bytes], ...] = (
        lambda: chance.randbytes(chance.choice((1, 100, 10_000))),
        lambda: b"POST /v2/models/tiny-qwen/generate HTTP/1.1\r\n" + chance.randbytes(200),
        lambda: (
            b"POST /v1/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n" + chance.randbytes(9)
        ),
        lambda: b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 2000 + b"\r\n",
        lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + chance.randbytes(300),
    )
    for _ in range(COUNT):
        with socket.create_connection(
            ("127.0.0.1", getattr(triton, port)), timeout=5
        ) as connection:
            try:
                connection.sendall(chance.choice(heads)())
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass  # hung up on, or not answered: both are answers to noise
    is_well(triton)


@pytest.mark.parametrize("path", ["/generate", "/generate_stream", "/v1/completions", "/tokenize"])
def test_a_body_that_is_no_json_is_refused(triton: Triton, path: str) -> None:
    chance = chance_of(f"body {path}")
    is_openai = path not in {"/generate", "/generate_stream"}
    port = triton.health_port if is_openai else triton.http_port
    url = f"http://127.0.0.1:{port}{'' if is_openai else f'/v2/models/{MODEL}'}{path}"
    for _ in range(COUNT):
        status, said = ask(url, b"[" + noise(chance))
        # Triton itself cannot read it, and calls that a 500.
        assert 400 <= status < 500 if is_openai else b"failed to parse the request JSON" in said
    is_well(triton)


KINDS = ("BYTES", "BOOL", "INT32", "FP32", "UINT8", "FP16", "STRING", "")


def odd_request(chance: random.Random) -> service_pb2.ModelInferRequest:
    """A request whose tensors have types, shapes, bytes and parameters of any sort."""
    request = service_pb2.ModelInferRequest(model_name=MODEL, id="i" * chance.choice((0, 9, 9999)))
    names = [*TEXTS, *FLAGS, "x", ""]
    for name in chance.sample(names, chance.randrange(1, 4)):
        shape = chance.choice(([1], [1], [], [0], [2], [1, 1], [-1], [2**40]))
        request.inputs.add(name=name, datatype=chance.choice(KINDS), shape=shape)
        text = noise(chance)
        # What a string should be: four bytes of length before it.
        framed = len(text).to_bytes(4, "little") + text
        odd = chance.randbytes(4) + text[:50]
        request.raw_input_contents.append(chance.choice((framed, framed, odd, b"", b"\x01")))
    for name in chance.sample(names[:-1], 2):
        match chance.randrange(4):
            case 0:
                request.parameters[name].string_param = "".join(
                    chance.choice('{}[]"a1') for _ in range(20)
                )
            case 1:
                request.parameters[name].int64_param = chance.choice((0, -1, 2**62))
            case 2:
                request.parameters[name].bool_param = True
            case _:
                request.parameters[name].double_param = chance.choice((0.5, 1e308, float("nan")))
    request.parameters["max_tokens"].int64_param = 1
    return request


def test_tensors_of_any_type_shape_and_bytes_are_understood_or_refused(triton: Triton) -> None:
    chance, codes = chance_of("tensors"), set[grpc.StatusCode]()
    with grpc.insecure_channel(f"127.0.0.1:{triton.grpc_port}") as channel:
        server = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for _ in range(4 * COUNT):
            request = odd_request(chance)
            try:
                for answer in server.ModelStreamInfer(iter([request]), timeout=60):
                    assert not FAULTS_OF_OURS.search(answer.error_message), request
            except grpc.RpcError as error:
                codes.add(error.code())
    # Triton's own refusals; nobody is left without an answer, and it has not ended.
    assert codes <= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL}
    is_well(triton)
