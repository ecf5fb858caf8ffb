"""What a client gets from a real Triton with a real engine."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.triton

MODEL = "tiny-qwen"
# Seeded, not greedy: a random model's greedy answer is one word for ever.
SAME = {"temperature": 1.0, "seed": 5, "max_tokens": 8, "ignore_eos": True}


def asked(prompt: str = "Hello", **fields: Any) -> dict[str, Any]:
    sampling = SAME | fields.pop("sampling", {})
    return {"prompt": prompt, "sampling_parameters": json.dumps(sampling), **fields}


def events(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: ")]


def text(answer: tuple[int, bytes]) -> str:
    status, body = answer
    assert status == 200, body
    found: str = json.loads(body)["response"]
    return found


def inputs(**values: str | bytes | bool) -> list[triton_grpc.InferInput]:
    made = []
    for name, value in values.items():
        kind, dtype = ("BOOL", np.bool_) if isinstance(value, bool) else ("BYTES", np.object_)
        raw = value.encode() if isinstance(value, str) else value
        tensor = triton_grpc.InferInput(name, [1], kind)
        tensor.set_data_from_numpy(np.array([raw], dtype=dtype))
        made.append(tensor)
    return made


class GrpcStream:
    """One ModelStreamInfer call and what came back."""

    def __init__(self, port: int) -> None:
        self.client = triton_grpc.InferenceServerClient(f"127.0.0.1:{port}")
        self.texts: list[str] = []
        self.errors: list[str] = []
        self.begun = threading.Event()
        self.ended = threading.Event()

    def ask(self, **values: str | bytes | bool) -> None:
        self.client.start_stream(self._came)
        self.client.async_stream_infer(MODEL, inputs(**values), enable_empty_final_response=True)

    def _came(self, result: Any, error: Any) -> None:
        if error is not None:
            self.errors.append(str(error))
            self.ended.set()
            return
        answer = result.get_response()
        if (part := result.as_numpy("response")) is not None:
            self.texts.append(part[0].decode())
        self.begun.set()
        if answer.parameters["triton_final_response"].bool_param:
            self.ended.set()


@pytest.fixture
def grpc_stream(triton: Any) -> Iterator[GrpcStream]:
    stream = GrpcStream(triton.grpc_port)
    yield stream
    stream.client.stop_stream(cancel_requests=True)
    stream.client.close()


def test_generate_answers_under_both_names(triton: Any) -> None:
    status, body = triton.generate(asked())
    answer = json.loads(body)
    assert status == 200
    assert answer["response"]
    assert answer["response"] == answer["text_output"]
    assert "finish_reason" not in answer


def test_a_stream_says_in_pieces_what_one_response_says_at_once(triton: Any) -> None:
    whole = text(triton.generate(asked()))
    status, body = triton.generate(asked(stream=True), stream=True)
    pieces = [event["response"] for event in events(body)]
    assert status == 200
    assert len(pieces) > 1
    assert "".join(pieces) == whole


def test_a_grpc_stream_says_the_same(triton: Any, grpc_stream: GrpcStream) -> None:
    grpc_stream.ask(prompt="Hello", stream=True, sampling_parameters=json.dumps(SAME))
    assert grpc_stream.ended.wait(30)
    assert grpc_stream.errors == []
    assert "".join(grpc_stream.texts) == text(triton.generate(asked()))


def test_a_grpc_stream_without_stream_gives_one_response(grpc_stream: GrpcStream) -> None:
    grpc_stream.ask(prompt="Hello", sampling_parameters=json.dumps(SAME))
    assert grpc_stream.ended.wait(30)
    assert len(grpc_stream.texts) == 1


def test_tritons_own_http_client_gets_an_answer_from_generate_metadata(triton: Any) -> None:
    client = triton_http.InferenceServerClient(f"127.0.0.1:{triton.http_port}")
    config = client.get_model_config(MODEL)
    assert config["model_transaction_policy"]["decoupled"]
    assert {tensor["name"] for tensor in config["input"]} >= {"prompt", "history", "stream"}
    client.close()


def test_history_changes_the_answer_and_both_its_forms_mean_the_same(triton: Any) -> None:
    pairs = json.dumps([["Who are you?", "A river."]])
    messages = json.dumps(
        [
            {"role": "user", "content": "Who are you?"},
            {"role": "assistant", "content": "A river."},
        ]
    )
    as_pairs = text(triton.generate(asked(history=pairs)))
    assert as_pairs == text(triton.generate(asked(history=messages)))
    assert as_pairs != text(triton.generate(asked()))


def test_a_system_message_in_the_history_replaces_the_models_own(triton: Any) -> None:
    def length(content: str) -> int:
        history = json.dumps([{"role": "system", "content": content}])
        body = triton.generate(asked(history=history, return_num_input_tokens=True))[1]
        return int(json.loads(body)["num_input_tokens"])

    plain = json.loads(triton.generate(asked(return_num_input_tokens=True))[1])
    assert length("You are a helpful assistant.") == plain["num_input_tokens"]
    assert length("No.") < plain["num_input_tokens"]


def test_text_input_alone_is_completed_and_comes_back_as_nvidias_backend_does(triton: Any) -> None:
    completion = {"text_input": "The river", "sampling_parameters": json.dumps(SAME)}
    answer = text(triton.generate(completion))
    assert answer.startswith("The river")
    bare = text(triton.generate(completion | {"exclude_input_in_output": True}))
    assert answer == "The river" + bare
    assert bare != text(triton.generate(asked("The river")))


def test_nvidias_optional_outputs_come_when_asked_for(triton: Any) -> None:
    wishes = (
        "finish_reason",
        "cumulative_logprob",
        "logprobs",
        "num_input_tokens",
        "num_output_tokens",
    )
    body = asked() | {f"return_{wish}": True for wish in wishes}
    answer = json.loads(triton.generate(body)[1])
    assert answer["finish_reason"] == "length"
    assert answer["num_output_tokens"] == 8
    assert answer["num_input_tokens"] > 8
    assert answer["cumulative_logprob"] < 0
    assert len(json.loads(answer["logprobs"])) == 8


def test_the_tokens_of_a_streams_pieces_add_up(triton: Any) -> None:
    body = asked(stream=True, return_num_output_tokens=True, return_finish_reason=True)
    pieces = events(triton.generate(body, stream=True)[1])
    assert sum(piece["num_output_tokens"] for piece in pieces) == 8
    assert [piece["finish_reason"] for piece in pieces[:-1]] == ["None"] * (len(pieces) - 1)
    assert pieces[-1]["finish_reason"] == "length"


def test_several_answers_come_as_one_array(triton: Any) -> None:
    body = asked(sampling={"n": 3, "temperature": 1.0, "seed": 7})
    answer = json.loads(triton.generate(body)[1])
    assert len(answer["response"]) == 3


def test_sampling_parameters_given_as_text_are_understood(triton: Any) -> None:
    as_text = {key: str(value) for key, value in SAME.items()}
    body = {"prompt": "Hello", "sampling_parameters": json.dumps(as_text)}
    assert text(triton.generate(body)) == text(triton.generate(asked()))


def test_sampling_parameters_may_be_request_parameters(triton: Any) -> None:
    body = {
        "prompt": "Hello",
        "max_tokens": 3,
        "ignore_eos": True,
        "return_num_output_tokens": True,
    }
    assert json.loads(triton.generate(body)[1])["num_output_tokens"] == 3


def test_a_stop_word_ends_the_answer(triton: Any) -> None:
    whole = text(triton.generate(asked()))
    answer = triton.generate(asked(sampling={"stop": whole[3]}, return_finish_reason=True))
    assert json.loads(answer[1])["finish_reason"] == "stop"
    assert whole.startswith(text(answer))
    assert whole[3] not in text(answer)


def test_without_max_tokens_the_context_is_the_limit(triton: Any) -> None:
    body = {
        "prompt": "Hello",
        "sampling_parameters": json.dumps({"ignore_eos": True}),
        "return_num_input_tokens": True,
        "return_num_output_tokens": True,
    }
    answer = json.loads(triton.generate(body)[1])
    assert answer["num_input_tokens"] + answer["num_output_tokens"] == 1024


def test_a_character_of_several_tokens_never_comes_in_halves(triton: Any) -> None:
    tokenizer = Tokenizer.from_file(str(triton.folder / "weights/tiny/tokenizer.json"))
    halves = [tokenizer.token_to_id(byte) for byte in ("Ã", "©")]  # the two bytes of é
    sampling = {"allowed_token_ids": halves, "max_tokens": 60, "top_p": 1.0}
    pieces = events(triton.generate(asked(stream=True, sampling=sampling), stream=True)[1])
    said = "".join(piece["response"] for piece in pieces)
    assert "é" in said
    assert set(said) <= {"é", "\ufffd"}


def test_sixteen_streams_at_once_answer_as_one_alone(triton: Any) -> None:
    prompts = [f"Count from {number}" for number in range(16)]
    alone = [text(triton.generate(asked(prompt))) for prompt in prompts]
    together: dict[str, str] = {}

    def follow(prompt: str) -> None:
        pieces = events(triton.generate(asked(prompt, stream=True), stream=True)[1])
        together[prompt] = "".join(piece["response"] for piece in pieces)

    threads = [threading.Thread(target=follow, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[prompt] for prompt in prompts] == alone


def test_openai_clients_are_answered_by_the_same_engine(triton: Any) -> None:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        **SAME,
    }
    status, answer = triton.openai("/v1/chat/completions", body)
    assert status == 200
    content = json.loads(answer)["choices"][0]["message"]["content"]
    assert content == text(triton.generate(asked()))
