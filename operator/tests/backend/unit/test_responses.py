from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from qwen_triton.chunks import Chunk, Part, chunk_of
from qwen_triton.requests import Question, Wants
from qwen_triton.responses import arrays

EVERYTHING = Wants(
    finish_reason=True,
    cumulative_logprob=True,
    logprobs=True,
    num_input_tokens=True,
    num_output_tokens=True,
)


@dataclass
class Candidate:
    logprob: float = -1.0
    rank: int | None = 1
    decoded_token: str | None = None


@dataclass
class Completion:
    index: int
    text: str
    token_ids: list[int]
    cumulative_logprob: float | None = None
    logprobs: list[dict[int, Candidate]] | None = None
    finish_reason: str | None = None


@dataclass
class Output:
    outputs: list[Completion]
    finished: bool = False
    unused: list[int] = field(default_factory=list)


def test_answers_without_news_get_an_empty_part_in_their_place() -> None:
    chunk = chunk_of(Output([Completion(2, "c", [7, 8])]), answers=3)
    assert [part.text for part in chunk.parts] == ["", "", "c"]
    assert [part.tokens for part in chunk.parts] == [0, 0, 2]
    assert not chunk.final


def test_chunks_add_up_answer_by_answer() -> None:
    whole = chunk_of(Output([Completion(0, "a", [1], -1.0, [{1: Candidate()}])]), answers=2)
    whole.add(chunk_of(Output([Completion(1, "b", [2], finish_reason="stop")]), answers=2))
    last = Completion(0, "c", [3], -2.0, [{3: Candidate()}], "length")
    whole.add(chunk_of(Output([last], finished=True), answers=2))
    assert [part.text for part in whole.parts] == ["ac", "b"]
    assert [part.finish_reason for part in whole.parts] == ["length", "stop"]
    assert whole.parts[0].cumulative_logprob == -2.0
    assert len(whole.parts[0].logprobs or []) == 2
    assert whole.final


def asked(wants: Wants, field: str = "prompt", *, stream: bool = False) -> Question:
    history = None if field == "text_input" else ()
    return Question("Say", field, history, stream=stream, sampling={}, echo=False, wants=wants)


def test_both_names_carry_the_same_text_and_nothing_else_comes_unasked() -> None:
    made = arrays(Chunk([Part("ü")]), asked(Wants()), prefix="> ", prompt_tokens=3, requested=())
    assert {name: array.tolist() for name, array in made.items()} == {
        "response": ["> ü".encode()],
        "text_output": ["> ü".encode()],
    }


@pytest.mark.parametrize(
    ("field", "stream", "names"),
    [
        ("text_input", True, ["text_output"]),
        ("text_input", False, ["response", "text_output"]),
        ("prompt", True, ["response", "text_output"]),
    ],
)
def test_a_stream_in_nvidias_words_is_answered_in_nvidias_words(
    field: str, *, stream: bool, names: list[str]
) -> None:
    question = asked(Wants(), field, stream=stream)
    made = arrays(Chunk([Part("a")]), question, prefix="", prompt_tokens=3, requested=())
    assert list(made) == names


def test_a_client_gets_the_name_that_it_asks_for_whatever_its_words_were() -> None:
    question = asked(Wants(), "text_input", stream=True)
    made = arrays(Chunk([Part("a")]), question, prefix="", prompt_tokens=3, requested={"response"})
    assert list(made) == ["response"]


def test_every_optional_output_has_the_type_of_the_contract() -> None:
    part = Part("a", 2, [{5: Candidate(-0.5, 1, "a")}], -0.5, "stop")
    made = arrays(Chunk([part]), asked(EVERYTHING), prefix="", prompt_tokens=3, requested=())
    assert made["finish_reason"].tolist() == [b"stop"]
    assert made["cumulative_logprob"].dtype == np.float32
    assert made["num_input_tokens"].tolist() == [3]
    assert made["num_output_tokens"].dtype == np.uint32
    assert json.loads(made["logprobs"][0]) == [
        {"5": {"logprob": -0.5, "rank": 1, "decoded_token": "a"}}
    ]


def test_what_is_not_known_yet_is_said_as_nvidias_backend_says_it() -> None:
    made = arrays(Chunk([Part("a")]), asked(EVERYTHING), prefix="", prompt_tokens=3, requested=())
    assert made["finish_reason"].tolist() == [b"None"]
    assert made["logprobs"].tolist() == [b"null"]
    assert np.isnan(made["cumulative_logprob"]).all()


def test_only_the_outputs_that_triton_asks_for_are_made() -> None:
    made = arrays(
        Chunk([Part("a")]), asked(EVERYTHING), prefix="", prompt_tokens=3, requested={"text_output"}
    )
    assert list(made) == ["text_output"]


def test_text_that_is_no_unicode_is_still_sent() -> None:
    made = arrays(Chunk([Part("\ud800")]), asked(Wants()), prefix="", prompt_tokens=1, requested=())
    assert made["response"].tolist() == [b"?"]


def test_reasoning_and_calls_have_an_element_for_each_answer() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": '{"ort": "Köln"}'}}
    parts = [Part(text="a", reasoning="hm", tool_calls=[call]), Part(text="b")]
    question = asked(Wants(reasoning=True, tool_calls=True))
    made = arrays(Chunk(parts), question, prefix="", prompt_tokens=1, requested=())
    assert [each.decode() for each in made["reasoning"]] == ["hm", ""]
    assert [json.loads(each) for each in made["tool_calls"]] == [[call], []]
    assert "Köln" in made["tool_calls"][0].decode()


def test_log_probabilities_that_were_only_summed_up_are_not_told() -> None:
    chunk = chunk_of(Output([Completion(0, "a", [1], -1.0, [{1: Candidate()}])]), answers=1)
    chunk.drop_logprobs()
    made = arrays(chunk, asked(EVERYTHING), prefix="", prompt_tokens=1, requested=())
    assert made["logprobs"][0] == b"null"
    assert made["cumulative_logprob"][0] == -1.0
