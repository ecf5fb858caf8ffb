from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_triton.refusals import BadRequest
from qwen_triton.requests import Question, read_question


class Given:
    """The inputs of a request, by name."""

    def __init__(self, request_parameters: str = "{}", **tensors: object) -> None:
        self.tensors = tensors
        self.request_parameters = request_parameters

    def first(self, name: str) -> object | None:
        return self.tensors.get(name)

    def parameters(self) -> str:
        return self.request_parameters

    def request_id(self) -> str:
        return str(self.tensors.get("id", ""))


def read(request_parameters: str = "{}", **tensors: object) -> Question:
    return read_question(Given(request_parameters, **tensors))


def refusal(**tensors: object) -> str:
    with pytest.raises(BadRequest) as refused:
        read(**tensors)
    return str(refused.value)


def test_a_prompt_is_a_chat_that_is_not_echoed() -> None:
    question = read(prompt=b"Hello")
    assert (question.text, question.field, question.history) == ("Hello", "prompt", ())
    assert not question.stream
    assert not question.echo


def test_text_input_alone_is_a_completion_that_is_echoed_unless_it_streams() -> None:
    assert read(text_input=b"Once").history is None
    assert read(text_input=b"Once").echo
    assert not read(text_input=b"Once", stream=True).echo
    assert not read(text_input=b"Once", exclude_input_in_output=True).echo


def test_text_input_with_a_history_is_a_chat() -> None:
    question = read(text_input=b"And?", history=b"[]")
    assert question.history == ()
    assert not question.echo


def test_pairs_and_messages_are_the_same_history() -> None:
    pairs = read(prompt=b"?", history=b'[["a", "b"]]')
    messages = read(
        prompt=b"?",
        history=b'[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]',
    )
    assert pairs.history == messages.history


def test_a_history_that_ends_with_a_tools_result_needs_no_prompt() -> None:
    ends = [{"role": "user", "content": "Which pods?"}, {"role": "tool", "content": "two"}]
    question = read(history=json.dumps(ends).encode())
    assert question.history is not None
    assert [message["role"] for message in question.history] == ["user", "tool"]


def test_a_history_that_ends_with_the_question_needs_no_prompt() -> None:
    question = read(history=b'[{"role": "user", "content": "Hello"}]')
    assert question.text == ""
    assert question.history == ({"role": "user", "content": "Hello"},)
    assert refusal(history=b'[["a", "b"]]').startswith("prompt: empty")


def test_a_call_of_a_tool_reads_as_templates_want_it() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    asked = [{"role": "user", "content": "?"}]
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    told = {"role": "tool", "content": "2"}
    found = read(prompt=b"And?", history=json.dumps([*asked, said, told]).encode()).history
    assert found is not None
    assert found[1] == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}],
    }
    said["tool_calls"] = [{"name": "f"}]
    words = "history: entry 0: 'tool_calls' must be a list"
    assert refusal(prompt=b"a", history=json.dumps([said]).encode()).startswith(words)


def test_request_parameters_stand_in_for_the_missing_tensor() -> None:
    assert read('{"max_tokens": 3}', prompt=b"a").sampling == {"max_tokens": 3}
    assert read('{"max_tokens": 3}', prompt=b"a", sampling_parameters=b"{}").sampling == {}
    assert read("", prompt=b"a").sampling == {}


def test_the_optional_outputs_are_off_until_asked_for() -> None:
    assert not any(getattr(read(prompt=b"a").wants, name) for name in ("finish_reason", "logprobs"))
    wants = read(prompt=b"a", return_logprobs=True).wants
    assert wants.logprobs
    assert not wants.finish_reason


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({}, "prompt: empty"),
        ({"prompt": b""}, "prompt: empty"),
        ({"text_input": b""}, "text_input: empty"),
        ({"prompt": b"a", "text_input": b"b"}, "prompt: given together with text_input"),
        ({"prompt": b"\xff"}, "prompt: not UTF-8: invalid start byte at byte 0"),
        ({"prompt": 3}, "prompt: must be text, not int"),
        ({"prompt": b"a", "history": b"{}"}, "history: must be a JSON list of messages"),
        ({"prompt": b"a", "history": b"[3]"}, "history: entry 0 must be"),
        ({"prompt": b"a", "history": b'[["a"]]'}, "history: entry 0 must be a pair"),
        ({"prompt": b"a", "history": b'[["a", 1]]'}, "history: entry 0 must be a pair"),
        ({"prompt": b"a", "history": b'[{"role": "x"}]'}, "history: entry 0 has role 'x'"),
        ({"prompt": b"a", "history": b'[{"role": "user"}]'}, "history: entry 0 needs 'content'"),
        ({"prompt": b"a", "sampling_parameters": b"{"}, "sampling_parameters: not JSON"),
        ({"prompt": b"a", "sampling_parameters": b"3"}, "sampling_parameters: must be a JSON obj"),
        ({"prompt": b"a", "sampling_parameters": b"NaN"}, "sampling_parameters: NaN is not JSON"),
        (
            {"prompt": b"a", "sampling_parameters": b"[" * 100_000},
            "sampling_parameters: nested too deeply",
        ),
        (
            {"text_input": b"a", "stream": True, "exclude_input_in_output": False},
            "Error generating stream: When streaming, `exclude_input_in_output` = False is not",
        ),
    ],
)
def test_a_mistake_names_its_field(tensors: dict[str, object], words: str) -> None:
    assert refusal(**tensors).startswith(words)


def test_options_are_no_sampling_parameters() -> None:
    given = b'{"priority": "-2", "lora_name": "poet", "top_k": 1}'
    question = read(prompt=b"a", sampling_parameters=given)
    assert question.sampling == {"top_k": 1}
    assert (question.options.priority, question.options.lora_name) == (-2, "poet")


def test_tools_may_be_an_input_of_their_own() -> None:
    tools = b'[{"function": {"name": "f"}}]'
    thinking = b'{"enable_thinking": false}'
    question = read(prompt=b"a", tools=tools, chat_template_kwargs=thinking)
    assert question.options.tools == ({"function": {"name": "f"}},)
    assert question.options.template_arguments == {"enable_thinking": False}
    twice = refusal(prompt=b"a", tools=tools, sampling_parameters=b'{"tools": []}')
    assert twice == "tools: given twice, also in sampling_parameters; send one of the two"


@pytest.mark.parametrize("wish", ["return_reasoning", "return_tool_calls"])
def test_an_answer_is_taken_apart_only_where_it_is_of_a_chat(wish: str) -> None:
    for stream in (False, True):
        wants = read(prompt=b"a", stream=stream, **{wish: True}).wants
        assert getattr(wants, wish.removeprefix("return_"))
    assert refusal(text_input=b"a", **{wish: True}) == (
        f"{wish}: not possible together with text_input; send prompt"
    )


def test_a_request_keeps_the_name_that_its_client_gave_it() -> None:
    assert read(prompt=b"a", id="order-7").name == "order-7"


@given(
    st.dictionaries(
        st.sampled_from(["prompt", "text_input", "history", "sampling_parameters"]), st.binary()
    )
)
def test_no_bytes_at_all_lead_to_another_error(tensors: dict[str, bytes]) -> None:
    with suppress(BadRequest):
        assert read(**tensors).field in {"prompt", "text_input", "history"}


@given(st.recursive(st.none() | st.booleans() | st.text(), st.lists))
def test_no_json_in_the_history_leads_to_another_error(history: object) -> None:
    with suppress(BadRequest):
        assert read(prompt=b"a", history=json.dumps(history).encode()).history is not None
