"""Each mistake of a client is answered with its status and its field, and touches nobody else."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.clients import GrpcStream

if TYPE_CHECKING:
    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton


def sampling(**fields: object) -> dict[str, object]:
    return {"prompt": "Hello", "sampling_parameters": json.dumps(fields)}


def nested(depth: int) -> dict[str, object]:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


MISTAKES: dict[str, tuple[dict[str, object], str, str]] = {
    "nothing": ({}, "prompt: ", "empty"),
    "empty prompt": ({"prompt": ""}, "prompt: ", "empty"),
    "empty text": ({"text_input": ""}, "text_input: ", "empty"),
    "both": ({"prompt": "a", "text_input": "b"}, "prompt: ", "text_input"),
    "no JSON": ({"prompt": "a", "sampling_parameters": "{"}, "sampling_parameters: ", "not JSON"),
    "a list": ({"prompt": "a", "sampling_parameters": "[]"}, "sampling_parameters: ", "a list"),
    "unknown": (sampling(temprature=1), "sampling_parameters: ", "'temperature'"),
    "ill-typed": (sampling(max_tokens="many"), "sampling_parameters: ", "'max_tokens'"),
    "out of range": (sampling(temperature=-1), "sampling_parameters: ", "temperature must be"),
    "refused late": (sampling(logprobs=5000), "sampling_parameters: ", "logprobs"),
    "unknown token": (
        sampling(stop_token_ids=[10**6], min_tokens=2),
        "sampling_parameters: ",
        "'stop_token_ids' names token 1000000",
    ),
    "gone": (sampling(best_of=4), "sampling_parameters: ", "'best_of' is no longer in vLLM"),
    "too many answers": (sampling(n=10**9), "sampling_parameters: ", "'n' must be from 1 to"),
    "no such regex": (sampling(guided_regex="("), "sampling_parameters: ", ""),
    "no such grammar": (sampling(guided_grammar="((("), "sampling_parameters: ", ""),
    "odd schema": (sampling(guided_json={"type": "king"}), "sampling_parameters: ", ""),
    "two forms": (
        sampling(guided_regex="a", guided_choice=["b"]),
        "sampling_parameters: ",
        "cannot be both regex and choice",
    ),
    "priority": (sampling(priority=1), "sampling_parameters: ", "scheduling_policy 'priority'"),
    "no adapters": (sampling(lora_name="poet"), "LoRA feature is not enabled.", ""),
    "deep schema": (
        sampling(guided_json=nested(400)),
        "sampling_parameters: ",
        "",
    ),
    "10 MB": ({"prompt": "river " * 1_700_000}, "prompt: ", "the context holds 1024"),
    "deep history": ({"prompt": "a", "history": "[" * 100_000}, "history: ", "nested too deeply"),
    "history": ({"prompt": "a", "history": "[3]"}, "history: ", "entry 0"),
    "role": (
        {"prompt": "a", "history": '[{"role": "king", "content": "x"}]'},
        "history: ",
        "'king'",
    ),
    "too long": ({"prompt": "river " * 2000}, "prompt: ", "the context holds 1024"),
    "echo in stream": (
        {"text_input": "a", "stream": True, "exclude_input_in_output": False},
        "Error generating stream: ",
        "`exclude_input_in_output` = False is not allowed",
    ),
}


@pytest.mark.parametrize("verb", ["generate", "generate_stream"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_400_that_names_its_field(triton: Triton, mistake: str, verb: str) -> None:
    body, field, words = MISTAKES[mistake]
    status, answer = triton.generate(body, stream=verb == "generate_stream")
    message = json.loads(answer.removeprefix(b"data: "))["error"]
    assert status == 400
    assert message.startswith(field)
    assert words in message


def test_bytes_that_are_no_utf8_are_an_invalid_argument(triton: Triton) -> None:
    stream = GrpcStream(triton.grpc_port)
    stream.ask(prompt=b"river \xff\xfe")
    assert stream.ended.wait(10)
    errors = list(stream.errors)
    stream.close()
    assert len(errors) == 1
    assert "prompt: not UTF-8" in errors[0]


def test_a_mistake_beside_it_does_not_disturb_a_stream(triton: Triton) -> None:
    body = {
        "prompt": "Hello",
        "stream": True,
        "sampling_parameters": json.dumps({"max_tokens": 200, "ignore_eos": True}),
        "return_num_output_tokens": True,
    }
    answers: list[tuple[int, bytes]] = []
    follower = threading.Thread(target=lambda: answers.append(triton.generate(body, stream=True)))
    follower.start()
    for wrong, _, _ in MISTAKES.values():
        assert triton.generate(wrong)[0] == 400
    follower.join()
    status, pieces = answers[0]
    counts = [
        json.loads(line[6:])["num_output_tokens"]
        for line in pieces.split(b"\n")
        if line.startswith(b"data: ")
    ]
    assert status == 200
    assert sum(counts) == 200
