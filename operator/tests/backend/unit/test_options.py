from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_triton.options import NAMES, Options, read_options
from qwen_triton.refusals import BadRequest

FIELD = "sampling_parameters"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(TOOL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def refusal(**fields: object) -> str:
    with pytest.raises(BadRequest) as refused:
        read_options(fields, FIELD)
    return str(refused.value)


def test_who_says_nothing_wants_nothing() -> None:
    assert read_options({"top_k": 1, "priority": None}, FIELD) == Options()


@pytest.mark.parametrize("value", [-3, "-3", " -3 "])
def test_a_priority_may_be_text(value: object) -> None:
    assert read_options({"priority": value}, FIELD).priority == -3


def test_tools_and_template_arguments_may_be_json_in_text() -> None:
    plain = {"tools": [TOOL], "chat_template_kwargs": {"enable_thinking": False}}
    as_text = {name: json.dumps(value) for name, value in plain.items()}
    assert read_options(plain, FIELD) == read_options(as_text, FIELD)
    assert read_options(plain, FIELD).tools == (TOOL,)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"priority": 1.5}, "'priority' must be an integer, not 1.5"),
        ({"priority": True}, "'priority' must be an integer, not True"),
        ({"priority": "high"}, "'priority' must be an integer, not 'high'"),
        ({"priority": 2**31}, "'priority' must lie within"),
        ({"priority": "9" * 5000}, "'priority' must be an integer"),
        ({"lora_name": 3}, "'lora_name' must be the name of an adapter, not 3"),
        ({"lora_name": ""}, "'lora_name' must be the name of an adapter"),
        ({"tools": {}}, "'tools' must be a list of functions, not an object"),
        ({"tools": [{}]}, "'tools': entry 0 must be"),
        ({"tools": "["}, "'tools' is not JSON"),
        ({"chat_template_kwargs": []}, "'chat_template_kwargs' must be an object, not a list"),
        ({"chat_template_kwargs": {"tokenize": True}}, "may not set 'tokenize'"),
    ],
)
def test_a_mistake_names_its_parameter(fields: dict[str, object], words: str) -> None:
    assert words in refusal(**fields)


@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING))
def test_nothing_at_all_leads_to_another_error(fields: dict[str, object]) -> None:
    with suppress(BadRequest):
        assert isinstance(read_options(fields, FIELD), Options)
