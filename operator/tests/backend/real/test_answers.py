"""What a client gets from a real Triton with a real engine."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
import tritonclient.http as triton_http
from tokenizers import Tokenizer

from tests.backend.real.clients import MODEL, GrpcStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton

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


@pytest.fixture
def grpc_stream(triton: Triton) -> Iterator[GrpcStream]:
    stream = GrpcStream(triton.grpc_port)
    yield stream
    stream.close()


def test_generate_answers_under_both_names(triton: Triton) -> None:
    status, body = triton.generate(asked())
    answer = json.loads(body)
    assert status == 200
    assert answer["response"]
    assert answer["response"] == answer["text_output"]
    assert "finish_reason" not in answer


def test_a_stream_says_in_pieces_what_one_response_says_at_once(triton: Triton) -> None:
    whole = text(triton.generate(asked()))
    status, body = triton.generate(asked(stream=True), stream=True)
    pieces = [event["response"] for event in events(body)]
    assert status == 200
    assert len(pieces) > 1
    assert "".join(pieces) == whole


def test_a_grpc_stream_says_the_same(triton: Triton, grpc_stream: GrpcStream) -> None:
    grpc_stream.ask(prompt="Hello", stream=True, sampling_parameters=json.dumps(SAME))
    assert grpc_stream.ended.wait(30)
    assert grpc_stream.errors == []
    assert "".join(grpc_stream.texts) == text(triton.generate(asked()))


def test_a_grpc_stream_without_stream_gives_one_response(grpc_stream: GrpcStream) -> None:
    grpc_stream.ask(prompt="Hello", sampling_parameters=json.dumps(SAME))
    assert grpc_stream.ended.wait(30)
    assert len(grpc_stream.texts) == 1


def test_tritons_own_client_reads_the_contract_from_the_server(triton: Triton) -> None:
    client = triton_http.InferenceServerClient(f"127.0.0.1:{triton.http_port}")
    config = client.get_model_config(MODEL)
    assert config["model_transaction_policy"]["decoupled"]
    assert {tensor["name"] for tensor in config["input"]} >= {"prompt", "history", "stream"}
    client.close()


def test_history_changes_the_answer_and_both_its_forms_mean_the_same(triton: Triton) -> None:
    pairs = json.dumps([["Who are you?", "A river."]])
    messages = json.dumps(
        [
            {"role": "user", "content": "Who are you?"},
            {"role": "assistant", "content": "A river."},
        ]
    )

    def answers(**fields: str) -> list[str]:
        # Several: of weights at random one seed may well make the same of two prompts.
        seeds = ({"seed": seed} for seed in (5, 6, 7))
        return [text(triton.generate(asked(sampling=seed, **fields))) for seed in seeds]

    as_pairs = answers(history=pairs)
    assert as_pairs == answers(history=messages)
    assert as_pairs != answers()


def test_a_system_message_in_the_history_replaces_the_models_own(triton: Triton) -> None:
    def length(content: str) -> int:
        history = json.dumps([{"role": "system", "content": content}])
        body = triton.generate(asked(history=history, return_num_input_tokens=True))[1]
        return int(json.loads(body)["num_input_tokens"])

    plain = json.loads(triton.generate(asked(return_num_input_tokens=True))[1])
    assert length("You are a helpful assistant.") == plain["num_input_tokens"]
    assert length("No.") < plain["num_input_tokens"]


def test_text_input_alone_is_completed_and_comes_back_as_nvidias_backend_does(
    triton: Triton,
) -> None:
    completion = {"text_input": "The river", "sampling_parameters": json.dumps(SAME)}
    answer = text(triton.generate(completion))
    assert answer.startswith("The river")
    bare = text(triton.generate(completion | {"exclude_input_in_output": True}))
    assert answer == "The river" + bare
    assert bare != text(triton.generate(asked("The river")))


def test_nvidias_optional_outputs_come_when_asked_for(triton: Triton) -> None:
    wishes = (
        "finish_reason",
        "cumulative_logprob",
        "logprobs",
        "num_input_tokens",
        "num_output_tokens",
    )
    body = asked(sampling={"logprobs": 0}) | {f"return_{wish}": True for wish in wishes}
    answer = json.loads(triton.generate(body)[1])
    assert answer["finish_reason"] == "length"
    assert answer["num_output_tokens"] == 8
    assert answer["num_input_tokens"] > 8
    assert answer["cumulative_logprob"] < 0
    assert len(json.loads(answer["logprobs"])) == 8


def test_the_tokens_of_a_streams_pieces_add_up(triton: Triton) -> None:
    body = asked(stream=True, return_num_output_tokens=True, return_finish_reason=True)
    pieces = events(triton.generate(body, stream=True)[1])
    assert sum(piece["num_output_tokens"] for piece in pieces) == 8
    assert [piece["finish_reason"] for piece in pieces[:-1]] == ["None"] * (len(pieces) - 1)
    assert pieces[-1]["finish_reason"] == "length"


def test_several_answers_come_as_one_array(triton: Triton) -> None:
    body = asked(sampling={"n": 3, "temperature": 1.0, "seed": 7})
    answer = json.loads(triton.generate(body)[1])
    assert len(answer["response"]) == 3


def test_sampling_parameters_given_as_text_are_understood(triton: Triton) -> None:
    as_text = {key: str(value) for key, value in SAME.items()}
    body = {"prompt": "Hello", "sampling_parameters": json.dumps(as_text)}
    assert text(triton.generate(body)) == text(triton.generate(asked()))


def test_sampling_parameters_may_be_request_parameters(triton: Triton) -> None:
    body = {
        "prompt": "Hello",
        "max_tokens": 3,
        "ignore_eos": True,
        "return_num_output_tokens": True,
    }
    assert json.loads(triton.generate(body)[1])["num_output_tokens"] == 3


def test_a_stop_word_ends_the_answer(triton: Triton) -> None:
    whole = text(triton.generate(asked()))
    answer = triton.generate(asked(sampling={"stop": whole[3]}, return_finish_reason=True))
    assert json.loads(answer[1])["finish_reason"] == "stop"
    assert whole.startswith(text(answer))
    assert whole[3] not in text(answer)


def test_without_max_tokens_the_context_is_the_limit(triton: Triton) -> None:
    body = {
        "prompt": "Hello",
        "sampling_parameters": json.dumps({"ignore_eos": True}),
        "return_num_input_tokens": True,
        "return_num_output_tokens": True,
    }
    answer = json.loads(triton.generate(body)[1])
    assert answer["num_input_tokens"] + answer["num_output_tokens"] == 1024


def test_a_character_of_several_tokens_never_comes_in_halves(triton: Triton) -> None:
    tokenizer = Tokenizer.from_file(str(triton.folder / "weights/tiny/tokenizer.json"))
    halves = [tokenizer.token_to_id(byte) for byte in ("Ã", "©")]  # the two bytes of é
    sampling = {"allowed_token_ids": halves, "max_tokens": 60, "top_p": 1.0}
    pieces = events(triton.generate(asked(stream=True, sampling=sampling), stream=True)[1])
    said = "".join(piece["response"] for piece in pieces)
    assert "é" in said
    assert set(said) <= {"é", "\ufffd"}


def test_sixteen_streams_at_once_answer_as_one_alone(triton: Triton) -> None:
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


def test_openai_clients_are_answered_by_the_same_engine(triton: Triton) -> None:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        **SAME,
    }
    status, answer = triton.openai("/v1/chat/completions", body)
    assert status == 200
    content = json.loads(answer)["choices"][0]["message"]["content"]
    assert content == text(triton.generate(asked()))
