from __future__ import annotations

import json

import pytest

from qwen_triton.settings import BadSettings, Settings, parse_settings


def parse(engine: str = '{"model": "/weights/x"}', **parameters: str) -> Settings:
    config = {"parameters": {name: {"string_value": value} for name, value in parameters.items()}}
    args = {"model_name": "m", "model_version": "1", "model_config": json.dumps(config)}
    return parse_settings(args, engine)


def test_everything_but_the_model_has_a_default() -> None:
    assert parse() == Settings("m", "1", "m", {"model": "/weights/x"})


def test_parameters_are_texts_that_become_what_they_mean() -> None:
    settings = parse(
        health_port="9100", drain_seconds="1.5", system_prompt="Hi", served_model_name="qwen"
    )
    assert settings.health_port == 9100
    assert settings.drain_seconds == 1.5
    assert settings.system_prompt == "Hi"
    assert settings.served_model_name == "qwen"


def test_an_empty_parameter_is_one_that_was_not_given() -> None:
    assert parse(system_prompt="", chat_template="", health_port="", drain_seconds="") == parse()


@pytest.mark.parametrize(
    ("engine", "words"),
    [("{", "not JSON"), ("[]", "a JSON object"), ("{}", "does not name a model")],
)
def test_a_model_json_that_cannot_be_used_is_named(engine: str, words: str) -> None:
    with pytest.raises(BadSettings, match=f"model.json.*{words}"):
        parse(engine)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("health_port", "x"),
        ("health_port", "0"),
        ("health_port", "70000"),
        ("drain_seconds", "soon"),
        ("drain_seconds", "-1"),
        ("drain_seconds", "inf"),
        ("drain_seconds", "nan"),
    ],
)
def test_a_parameter_that_means_nothing_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=f"parameter {name}"):
        parse(**{name: value})
