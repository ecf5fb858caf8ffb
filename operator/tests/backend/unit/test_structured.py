from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_triton.refusals import BadRequest
from qwen_triton.structured import NAMES, constraint

FIELD = "sampling_parameters"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.just(SCHEMA),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("type"), inner),
    max_leaves=8,
)


def refusal(**fields: object) -> str:
    with pytest.raises(BadRequest) as refused:
        constraint(fields, FIELD)
    return str(refused.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"structured_outputs": {"json": SCHEMA}},
        {"structured_outputs": json.dumps({"json": SCHEMA})},
        {"guided_decoding": {"json": json.dumps(SCHEMA)}},
        {"guided_json": SCHEMA},
        {"guided_json": json.dumps(SCHEMA)},
        {"json_schema": SCHEMA},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA},
            }
        },
    ],
)
def test_a_schema_means_the_same_under_every_name(fields: dict[str, object]) -> None:
    assert constraint(fields, FIELD) == {"json": SCHEMA}


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({}, {}),
        ({"guided_regex": "a+", "guided_json": None}, {"regex": "a+"}),
        ({"guided_choice": ["a", "b"]}, {"choice": ["a", "b"]}),
        ({"guided_choice": '["a", "b"]'}, {"choice": ["a", "b"]}),
        ({"guided_grammar": "root ::= 'a'"}, {"grammar": "root ::= 'a'"}),
        ({"guided_json_object": "True"}, {"json_object": True}),
        ({"guided_json_object": False}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": '{"type": "json_object"}'}, {"json_object": True}),
        (
            {"guided_json": SCHEMA, "guided_whitespace_pattern": " ?"},
            {"json": SCHEMA, "whitespace_pattern": " ?"},
        ),
        (
            {"response_format": {"type": "structural_tag", "triggers": ["<"]}},
            {"structural_tag": '{"type": "structural_tag", "triggers": ["<"]}'},
        ),
    ],
)
def test_each_name_means_a_field_of_vllm(
    fields: dict[str, object], meant: dict[str, object]
) -> None:
    assert constraint(fields, FIELD) == meant


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"structured_outputs": 3}, "'structured_outputs' must be an object, not 3"),
        ({"structured_outputs": "{"}, "'structured_outputs' is not JSON"),
        ({"structured_outputs": {"jsn": {}}}, "has no 'jsn'; did you mean 'json'?"),
        ({"structured_outputs": {"regex": ""}}, "'structured_outputs.regex' must be text, not ''"),
        ({"guided_json": 3}, "'guided_json' must be a JSON schema, not 3"),
        ({"guided_json": "[" * 100_000}, "'guided_json' is nested too deeply"),
        ({"guided_choice": []}, "'guided_choice' must be a list of texts, not []"),
        ({"guided_choice": ["a", 1]}, "'guided_choice' must be a list of texts"),
        ({"guided_json_object": 1}, "'guided_json_object' must be true or false, not 1"),
        ({"guided_regex": "a", "guided_choice": ["b"]}, "cannot be both regex and choice"),
        ({"guided_json": SCHEMA, "json_schema": SCHEMA}, "says 'json' a second time"),
        ({"guided_whitespace_pattern": " "}, "'whitespace_pattern' goes with one of json, regex"),
        ({"response_format": {"type": "xml"}}, "response_format.type must be one of text, json_o"),
        ({"response_format": {"type": "json_schema"}}, "'response_format.json_schema.schema' must"),
        ({"guided_decoding_backend": "xgrammar"}, "'guided_decoding_backend' cannot be chosen"),
    ],
)
def test_a_mistake_names_its_parameter(fields: dict[str, object], words: str) -> None:
    assert words in refusal(**fields)


@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING))
def test_nothing_at_all_leads_to_another_error(fields: dict[str, object]) -> None:
    with suppress(BadRequest):
        assert len(constraint(fields, FIELD)) < 9
