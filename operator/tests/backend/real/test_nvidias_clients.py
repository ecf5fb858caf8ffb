"""What clients written for NVIDIA's vLLM backend send and compare, case by case.

The cases are those of its own client tests; where an answer's words depend on its model, what is
compared here is that the model's own words come.
"""

from __future__ import annotations

import json
import queue
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc

from tests.backend.real.clients import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.backend.real.server import Triton

    Ask = Callable[..., list[Any]]

pytestmark = pytest.mark.triton

PROMPT = "The river"
# As text, the way its clients send every value; its answers would end after 16 tokens on their own.
PLAIN = {"temperature": "0", "top_p": "1", "max_tokens": "16"}


@pytest.fixture
def client(triton: Triton) -> Iterator[triton_grpc.InferenceServerClient]:
    made = triton_grpc.InferenceServerClient(f"127.0.0.1:{triton.grpc_port}")
    yield made
    made.close()


@pytest.fixture
def ask(client: triton_grpc.InferenceServerClient) -> Ask:
    """Sends requests as NVIDIA's tests do; returns results and errors in the order they came."""

    def send(
        sampling: Mapping[str, object],
        tensors: Mapping[str, object] | None = None,
        *,
        as_tensor: bool = True,
        outputs: list[str] | None = None,
        request_id: str = "",
    ) -> list[Any]:
        came: queue.Queue[Any] = queue.Queue()
        values: dict[str, object] = {"text_input": PROMPT, **(tensors or {})}
        if as_tensor:
            values["sampling_parameters"] = json.dumps(sampling)
        client.start_stream(lambda result, error: came.put(error or result))
        client.async_stream_infer(
            MODEL,
            [_input(name, value) for name, value in values.items()],
            outputs=outputs and [triton_grpc.InferRequestedOutput(name) for name in outputs],
            request_id=request_id,
            parameters=dict(sampling),
        )
        # Waits for the answers under way.
        client.stop_stream()
        return list(came.queue)

    return send


def _input(name: str, value: object) -> triton_grpc.InferInput:
    kind, dtype = ("BOOL", np.bool_) if isinstance(value, bool) else ("BYTES", np.object_)
    made = triton_grpc.InferInput(name, [1], kind)
    raw = str(value).encode() if kind == "BYTES" else value
    made.set_data_from_numpy(np.array([raw], dtype=dtype))
    return made


def text(result: Any) -> str:
    said: str = result.as_numpy("text_output")[0].decode()
    return said


@pytest.mark.parametrize("as_tensor", [True, False])
def test_parameters_come_as_a_tensor_or_as_the_requests_own(ask: Ask, *, as_tensor: bool) -> None:
    (answer,) = ask(PLAIN, {"stream": False}, as_tensor=as_tensor, outputs=["text_output"])
    assert text(answer).startswith(PROMPT)
    assert answer.as_numpy("response") is None


def test_ids_come_back(ask: Ask) -> None:
    for request_id in ("0", "0", "1"):
        (answer,) = ask(PLAIN, outputs=["text_output"], request_id=request_id)
        assert answer.get_response().id == request_id


def test_the_input_is_in_the_output_unless_it_is_excluded_or_streamed(ask: Ask) -> None:
    (default,) = ask(PLAIN, {"stream": False})
    (included,) = ask(PLAIN, {"stream": False, "exclude_input_in_output": False})
    (excluded,) = ask(PLAIN, {"stream": False, "exclude_input_in_output": True})
    streamed = "".join(text(part) for part in ask(PLAIN, {"stream": True}))
    assert text(default) == text(included) == PROMPT + text(excluded)
    assert streamed == text(excluded)


def test_a_stream_that_should_hold_its_input_is_refused_word_for_word(ask: Ask) -> None:
    (error,) = ask(PLAIN, {"stream": True, "exclude_input_in_output": False})
    assert error.message() == (
        "Error generating stream: When streaming, `exclude_input_in_output` = False is not allowed."
    )


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("logprobs", [None, 0, 2])
@pytest.mark.parametrize("wanted", [None, True, False])
def test_additional_outputs_are_there_when_asked_for_and_mean_what_they_say(
    ask: Ask, *, stream: bool, logprobs: int | None, wanted: bool | None
) -> None:
    # The model's own penalty would make another token likeliest than the one that is said.
    plain = {**PLAIN, "repetition_penalty": "1"}
    sampling = plain if logprobs is None else {**plain, "logprobs": logprobs}
    names = ("finish_reason", "cumulative_logprob", "logprobs", "num_input_tokens")
    names = (*names, "num_output_tokens")
    wishes = {} if wanted is None else {f"return_{name}": wanted for name in names}
    parts = ask(sampling, {"stream": stream, **wishes})
    assert len(parts) > 1 if stream else len(parts) == 1
    if not wanted:
        assert all(part.as_numpy(name) is None for part in parts for name in names)
        return
    reasons = [part.as_numpy("finish_reason")[0].decode() for part in parts]
    assert reasons == ["None"] * (len(parts) - 1) + ["length"]
    sums = [0.0, *(float(part.as_numpy("cumulative_logprob")[0]) for part in parts)]
    assert all(one != other for one, other in pairwise(sums))
    for part in parts:
        assert 0 < part.as_numpy("num_input_tokens").astype(int) <= len(PROMPT)
        tokens = int(part.as_numpy("num_output_tokens")[0])
        assert tokens > 0
        told = json.loads(part.as_numpy("logprobs")[0].decode())
        if logprobs is None:
            assert told is None
            continue
        assert len(told) == tokens
        likeliest = [each for position in told for each in position.values() if each["rank"] == 1]
        said = "".join(each["decoded_token"] for each in likeliest)
        assert ("" if stream else PROMPT) + said == text(part)
        assert all(1 <= len(position) <= logprobs + 1 for position in told)


def test_structured_outputs_come_as_json_in_text(ask: Ask) -> None:
    form = json.dumps({"choice": ["Positive", "Negative"]})
    (answer,) = ask({**PLAIN, "structured_outputs": form}, {"exclude_input_in_output": True})
    assert text(answer) in {"Positive", "Negative"}


def test_several_answers_asked_for_as_text(ask: Ask) -> None:
    (answer,) = ask({**PLAIN, "n": "2", "temperature": "1"})
    assert len(answer.as_numpy("text_output")) == 2


def test_generate_takes_everything_below_parameters(triton: Triton) -> None:
    parameters = {"stream": False, "temperature": 0, "top_p": 1, "max_tokens": 16}
    body = {
        "text_input": PROMPT,
        "parameters": {**parameters, "exclude_input_in_output": True},
    }
    status, bare = triton.generate(body)
    assert status == 200
    whole = triton.generate({"text_input": PROMPT, "parameters": parameters})[1]
    assert json.loads(whole)["text_output"] == PROMPT + json.loads(bare)["text_output"]


def test_a_request_can_be_cancelled_before_it_answers(
    client: triton_grpc.InferenceServerClient,
) -> None:
    came: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: came.put(error or result))
    sampling = json.dumps({"max_tokens": "1000", "ignore_eos": "true"})
    inputs = [
        _input(name, value)
        for name, value in {"text_input": PROMPT, "sampling_parameters": sampling}.items()
    ]
    client.async_stream_infer(MODEL, inputs, request_id="1")
    client.stop_stream(cancel_requests=True)
    assert came.get(timeout=5).status() == "StatusCode.CANCELLED"
    assert came.empty()
