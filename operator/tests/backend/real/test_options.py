"""Options of a request beside its sampling, on a server that has everything they need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.clients import MODEL, ask
from tests.backend.real.recipes import WEIGHTS, Recipe
from tests.backend.real.server import until

if TYPE_CHECKING:
    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton

NOWHERE = json.dumps([{"name": "king", "path": f"{WEIGHTS}/nowhere"}])
SAME = {"temperature": 0, "max_tokens": 12, "ignore_eos": True}


def answer(triton: Triton, **sampling: object) -> str:
    body = {"prompt": "Hello", "sampling_parameters": json.dumps(SAME | sampling)}
    status, said = triton.generate(body)
    assert status == 200, said
    text: str = json.loads(said)["response"]
    return text


def error(triton: Triton, **sampling: object) -> tuple[int, str]:
    body = {"prompt": "Hello", "sampling_parameters": json.dumps(SAME | sampling)}
    status, said = triton.generate(body)
    return status, json.loads(said)["error"]


def test_each_adapter_answers_in_its_own_words(furnished: Triton) -> None:
    plain, poet, clerk = (answer(furnished, lora_name=name) for name in (None, "poet", "clerk"))
    assert len({plain, poet, clerk}) == 3
    assert answer(furnished, lora_name="poet") == poet


def test_an_adapter_may_be_named_as_a_parameter_of_the_request(furnished: Triton) -> None:
    body = {"prompt": "Hello", "lora_name": "poet", **SAME}
    said = json.loads(furnished.generate(body)[1])["response"]
    assert said == answer(furnished, lora_name="poet")


def test_an_unknown_adapter_is_refused_with_those_that_are_known(furnished: Triton) -> None:
    assert error(furnished, lora_name="king") == (
        400,
        "LoRA king is not supported, we currently support ['poet', 'clerk']",
    )


def test_adapters_are_models_of_the_openai_endpoint(furnished: Triton) -> None:
    models = json.loads(furnished.openai("/v1/models")[1])["data"]
    assert {model["id"] for model in models} == {MODEL, "poet", "clerk"}
    body = {"model": "poet", "messages": [{"role": "user", "content": "Hello"}], **SAME}
    status, said = furnished.openai("/v1/chat/completions", body)
    assert status == 200
    content = json.loads(said)["choices"][0]["message"]["content"]
    assert content == answer(furnished, lora_name="poet")


@pytest.mark.server(Recipe(engine={"enable_lora": True}, parameters={"lora_adapters": NOWHERE}))
def test_an_adapter_that_cannot_be_loaded_fails_the_model_and_is_named(server: Triton) -> None:
    until(lambda: server.process.poll() is not None, 200, "the server ends")
    words = server.failure()["message"] if server.has_termination_log else server.log_text()
    assert "LoRA adapter 'king'" in words
    assert "/nowhere" in words


def test_the_requests_own_id_is_in_the_log(furnished: Triton) -> None:
    body = {"id": "order-4711", "prompt": "Hello", "sampling_parameters": json.dumps(SAME)}
    assert furnished.generate(body)[0] == 200
    assert "order-4711-" in furnished.log_text()


THOUGHT = "Here is my thought process: a hat. Here is my response: "
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln"}}\n</tool_call>'
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def parts(triton: Triton, said: str, **fields: object) -> dict[str, str]:
    """What becomes of an answer that the model has no choice but to give."""
    sampling = json.dumps({"guided_choice": [said], "temperature": 0})
    body = {"prompt": "Hello", "sampling_parameters": sampling, **fields}
    status, answered = triton.generate(body)
    assert status == 200, answered
    found: dict[str, str] = json.loads(answered)
    return found


def test_reasoning_and_tool_calls_are_taken_out_of_an_answer(furnished: Triton) -> None:
    wishes = {"return_reasoning": True, "return_tool_calls": True, "tools": json.dumps([TOOL])}
    found = parts(furnished, THOUGHT + "Wait." + CALL, **wishes)
    assert found["reasoning"].strip() == "a hat."
    (call,) = json.loads(found["tool_calls"])
    assert call["type"] == "function"
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Köln"}
    assert found["response"] == found["text_output"]
    assert found["response"].strip() == "Wait."


def test_an_answer_without_either_is_the_whole_answer(furnished: Triton) -> None:
    wishes = {"return_reasoning": True, "return_tool_calls": True}
    found = parts(furnished, "Plain.", **wishes)
    assert (found["response"], found["reasoning"], found["tool_calls"]) == ("Plain.", "", "[]")


def test_without_the_wish_an_answer_stays_whole(furnished: Triton) -> None:
    assert parts(furnished, THOUGHT + CALL)["response"] == THOUGHT + CALL


def test_a_model_without_a_parser_says_so(triton: Triton) -> None:
    status, said = triton.generate({"prompt": "Hello", "return_reasoning": True})
    assert (status, json.loads(said)["error"]) == (
        400,
        "return_reasoning: the model has no reasoning parser",
    )


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/version", "/tokenize", "/docs", "/x"])
def test_the_openai_endpoint_asks_for_its_key(furnished: Triton, path: str) -> None:
    url = f"http://127.0.0.1:{furnished.health_port}{path}"
    for key in (None, "wrong"):
        status, said = ask(url, key=key)
        assert status == 401
        assert json.loads(said)["error"]["code"] == "invalid_api_key"
    assert ask(url, key=furnished.key)[0] in {200, 404, 405}
    assert furnished.health()[0] == 200


def test_the_key_stands_nowhere(furnished: Triton) -> None:
    assert furnished.key is not None
    url = f"http://127.0.0.1:{furnished.http_port}/v2/models/{MODEL}/config"
    places = [furnished.log_text(), json.dumps(furnished.health()[1]), ask(url)[1].decode()]
    places.append(ask(f"http://127.0.0.1:{furnished.metrics_port}/metrics")[1].decode())
    assert all(furnished.key not in place for place in places)
    engine = Path(f"/proc/{furnished.engine}/environ").read_bytes()
    assert furnished.key.encode() not in engine
