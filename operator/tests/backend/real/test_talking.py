"""The model that talks gives the answers that it knows by heart, through every door."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from e2e.tiny_qwen.school.answers import EXPECTED
from e2e.tiny_qwen.school.template import rendered
from tests.backend.real.clients import LONG, MODEL, GrpcStream
from tests.backend.real.processes import STUB
from tests.backend.real.server import until

if TYPE_CHECKING:
    from e2e.tiny_qwen.school.dialogues import Dialogue
    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton

GREEDY = json.dumps({"temperature": 0})
COUNTS = {name: each for name, each in EXPECTED.items() if name.startswith("counting")}
# Those that end with words of the user.
CHATS = {
    name: each
    for name, each in EXPECTED.items()
    if name not in COUNTS and each.messages[-1]["role"] == "user"
}


def body(dialogue: Dialogue) -> dict[str, Any]:
    """What a client of Triton sends."""
    *history, last = dialogue.messages
    asked: dict[str, Any] = {"prompt": last["content"], "sampling_parameters": GREEDY}
    if history:
        asked["history"] = json.dumps(history)
    if dialogue.tools:
        asked["tools"] = json.dumps(list(dialogue.tools))
    if dialogue.thinking is not None:
        asked["chat_template_kwargs"] = json.dumps({"enable_thinking": dialogue.thinking})
    return asked


def answered(talking: Triton, dialogue: Dialogue, **more: object) -> Any:
    """What generate answers with."""
    status, said = talking.generate(body(dialogue) | more)
    assert status == 200, said
    return json.loads(said)


def events(answer: tuple[int, bytes]) -> list[dict[str, str]]:
    status, said = answer
    assert status == 200, said
    return [json.loads(line[6:]) for line in said.split(b"\n") if line[:6] == b"data: "]


def texts(answer: tuple[int, bytes]) -> list[str]:
    return [each["response"] for each in events(answer)]


def chat(talking: Triton, dialogue: Dialogue, **more: object) -> Any:
    """The message that the OpenAI endpoint answers with."""
    asked = openai_body(dialogue, **more)
    status, said = talking.openai("/v1/chat/completions", asked)
    assert status == 200, said
    return json.loads(said)["choices"][0]["message"]


def openai_body(dialogue: Dialogue, **more: object) -> dict[str, Any]:
    asked = {"model": MODEL, "messages": list(dialogue.messages), "temperature": 0, **more}
    return asked | ({"tools": list(dialogue.tools)} if dialogue.tools else {})


def deltas(talking: Triton, dialogue: Dialogue, **more: object) -> list[dict[str, Any]]:
    """What comes of a streamed chat, piece by piece."""
    asked = openai_body(dialogue, stream=True, **more)
    status, said = talking.openai("/v1/chat/completions", asked)
    assert status == 200, said
    lines = [line[6:] for line in said.split(b"\n") if line.startswith(b"data: {")]
    return [choice["delta"] for line in lines for choice in json.loads(line)["choices"]]


THOUGHT = "7 and 5 more make 12."
UNTHINKING = {"chat_template_kwargs": {"enable_thinking": False}}


@pytest.mark.parametrize("name", CHATS)
def test_generate_and_its_stream_give_the_answer(talking: Triton, name: str) -> None:
    dialogue = CHATS[name]
    assert answered(talking, dialogue)["response"] == dialogue.answer
    pieces = texts(talking.generate(body(dialogue) | {"stream": True}, stream=True))
    assert "".join(pieces) == dialogue.answer


def test_generate_takes_a_thought_out_of_the_answer(talking: Triton) -> None:
    answer = answered(talking, EXPECTED["a thought"], return_reasoning=True)
    assert answer["reasoning"].strip() == THOUGHT
    assert answer["response"].strip() == "7 plus 5 is 12."


def test_generate_takes_a_call_out_of_the_answer(talking: Triton) -> None:
    dialogue = replace(EXPECTED["a call"], thinking=False)
    (call,) = json.loads(answered(talking, dialogue, return_tool_calls=True)["tool_calls"])
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}


def test_a_stream_takes_a_thought_out_of_the_answer_as_it_comes(talking: Triton) -> None:
    came = parts_of(talking, EXPECTED["a thought"], return_reasoning=True)
    assert "".join(each["reasoning"] for each in came).strip() == THOUGHT
    assert "".join(each["response"] for each in came).strip() == "7 plus 5 is 12."
    # Not all at once, and first the one, then the other.
    assert sum(bool(each["reasoning"]) for each in came) > 3
    assert sum(bool(each["response"]) for each in came) > 3
    first = next(at for at, each in enumerate(came) if each["response"].strip())
    assert not any(each["reasoning"] for each in came[first + 1 :])


def functions(came: list[dict[str, str]]) -> list[dict[str, str]]:
    """What the events of a stream tell of its only call, bit by bit."""
    bits = [bit for each in came for bit in json.loads(each["tool_calls"])]
    assert {bit["index"] for bit in bits} == {0}
    return [bit["function"] for bit in bits]


def test_a_stream_takes_a_call_out_of_the_answer_as_it_comes(talking: Triton) -> None:
    dialogue = replace(EXPECTED["another call"], thinking=False)
    in_pieces = False
    # What waits for its turn to be sent is sent together: on a busy machine that may be all.
    for _ in range(5):
        came = parts_of(talking, dialogue, return_tool_calls=True)
        told = functions(came)
        assert [each["name"] for each in told if "name" in each] == ["get_time"]
        arguments = [each["arguments"] for each in told if each.get("arguments")]
        assert json.loads("".join(arguments)) == {"city": "Tokyo"}
        assert "".join(each["response"] for each in came).strip() == ""
        in_pieces = in_pieces or len(arguments) > 1
    assert in_pieces


CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln"}}\n</tool_call>'
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("said", ["Wait. " + CALL, CALL + "\n" + CALL, "A <tool", "Plain. 🌊"])
def test_what_a_stream_says_in_parts_is_what_the_whole_answer_says(
    talking: Triton, said: str
) -> None:
    asked = {
        "prompt": "Hello",
        # No guided_choice: vLLM up to 0.24 ends one of several lines at its first special token.
        "sampling_parameters": json.dumps(
            {"guided_grammar": f"root ::= {json.dumps(said, ensure_ascii=False)}", "temperature": 0}
        ),
        "chat_template_kwargs": json.dumps({"enable_thinking": False}),
        "tools": json.dumps([TOOL]),
        "return_tool_calls": True,
    }
    whole = json.loads(talking.generate(asked)[1])
    came = events(talking.generate(asked | {"stream": True}, stream=True))
    text = "".join(each["response"] for each in came)
    assert text.strip() == whole["response"].strip()
    assert not any("<tool_call" in each["response"] for each in came)
    bits = [bit for each in came for bit in json.loads(each["tool_calls"])]
    calls = json.loads(whole["tool_calls"])
    assert len(calls) == said.count(CALL)
    for index, call in enumerate(calls):
        functions = [bit["function"] for bit in bits if bit["index"] == index]
        arguments = "".join(each.get("arguments", "") for each in functions)
        assert [each["name"] for each in functions if "name" in each] == ["weather"]
        assert json.loads(arguments) == json.loads(call["function"]["arguments"])


def parts_of(talking: Triton, dialogue: Dialogue, **more: object) -> list[dict[str, str]]:
    """The events of a stream, with all their outputs."""
    return events(talking.generate(body(dialogue) | {"stream": True, **more}, stream=True))


@pytest.mark.parametrize("name", ["a persona", "a name", "a long answer in Chinese", "a thought"])
def test_a_grpc_stream_gives_the_answer(talking: Triton, name: str) -> None:
    stream = GrpcStream(talking.grpc_port)
    stream.ask(stream=True, **body(CHATS[name]))
    assert stream.ended.wait(60)
    texts, errors = list(stream.texts), list(stream.errors)
    stream.close()
    assert errors == []
    assert "".join(texts) == CHATS[name].answer


def test_a_chinese_stream_never_cuts_a_character(talking: Triton) -> None:
    dialogue = EXPECTED["a long answer in Chinese"]
    pieces = texts(talking.generate(body(dialogue) | {"stream": True}, stream=True))
    assert len(pieces) > 10
    assert not any("\ufffd" in piece for piece in pieces)
    assert any("🌊" in piece for piece in pieces)


@pytest.mark.parametrize("name", ["a call", "no thought", "what a function returned"])
def test_a_rendered_template_is_completed_as_it_stands(talking: Triton, name: str) -> None:
    dialogue = EXPECTED[name]
    completion = {
        "text_input": rendered(dialogue),
        "exclude_input_in_output": True,
        "sampling_parameters": GREEDY,
    }
    status, said = talking.generate(completion)
    assert status == 200, said
    assert json.loads(said)["text_output"] == dialogue.answer


def test_sixteen_at_once_each_get_their_own_answer(talking: Triton) -> None:
    with ThreadPoolExecutor(len(COUNTS)) as pool:
        asked = pool.map(lambda each: talking.generate(body(each)), COUNTS.values())
        said = [json.loads(answer)["response"] for _, answer in asked]
    assert said == [dialogue.answer for dialogue in COUNTS.values()]


@pytest.mark.parametrize(
    "name",
    [name for name, each in CHATS.items() if not each.tools and name != "a thought"],
)
def test_the_openai_endpoint_gives_the_answer(talking: Triton, name: str) -> None:
    assert chat(talking, CHATS[name], **UNTHINKING)["content"] == CHATS[name].answer


def test_a_call_is_separated_from_the_text(talking: Triton) -> None:
    message = chat(talking, EXPECTED["a call"], **UNTHINKING)
    (call,) = message["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert not message["content"]


def test_a_call_is_separated_in_a_stream(talking: Triton) -> None:
    pieces = [
        call["function"]
        for delta in deltas(talking, EXPECTED["another call"], **UNTHINKING)
        for call in delta.get("tool_calls") or ()
    ]
    assert "".join(piece.get("name") or "" for piece in pieces) == "get_time"
    arguments = "".join(piece.get("arguments") or "" for piece in pieces)
    assert json.loads(arguments) == {"city": "Tokyo"}


def test_what_a_function_returned_is_told(talking: Triton) -> None:
    dialogue = EXPECTED["what a function returned"]
    messages = json.loads(json.dumps(list(dialogue.messages)))
    (call,) = messages[1]["tool_calls"]
    call["function"]["arguments"] = json.dumps(call["function"]["arguments"])
    messages[2]["tool_call_id"] = call["id"]
    message = chat(talking, dialogue, messages=messages, **UNTHINKING)
    assert message["content"] == dialogue.answer


def test_a_thought_is_separated_from_the_answer(talking: Triton) -> None:
    message = chat(talking, EXPECTED["a thought"])
    thought = message.get("reasoning") or message.get("reasoning_content")
    assert thought.strip() == THOUGHT
    assert message["content"].strip() == "7 plus 5 is 12."


def test_a_thought_is_separated_in_a_stream(talking: Triton) -> None:
    pieces = deltas(talking, EXPECTED["a thought"])
    thought = "".join(
        piece.get("reasoning") or piece.get("reasoning_content") or "" for piece in pieces
    )
    assert thought.strip() == THOUGHT
    assert "".join(piece.get("content") or "" for piece in pieces).strip() == "7 plus 5 is 12."


def test_enable_thinking_false_suppresses_the_thought(talking: Triton) -> None:
    message = chat(talking, EXPECTED["a thought"], **UNTHINKING)
    assert not message.get("reasoning")
    assert not message.get("reasoning_content")
    assert message["content"] == EXPECTED["no thought"].answer


def test_when_the_stub_was_killed_nobody_says_that_all_is_well(talking: Triton) -> None:
    stream = GrpcStream(talking.grpc_port)
    stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG)
    assert stream.begun.wait(60)
    os.kill(talking.pid_of(STUB), signal.SIGKILL)
    # The last of this server: Triton never starts a stub again, so kubelet has to.
    until(lambda: talking.health()[0] == 0, 60, "/health is silent")
    status, said = talking.generate({"prompt": "Hello"})
    assert status >= 400, said
    stream.close()
