from __future__ import annotations

import json

import pytest

from qwen_triton.adapters import Adapter
from qwen_triton.settings import BadSettings, Settings, parse_settings


def parse(engine: str = '{"model": "/weights/x"}', **parameters: str) -> Settings:
    config = {"parameters": {name: {"string_value": value} for name, value in parameters.items()}}
    args = {"model_name": "m", "model_version": "1", "model_config": json.dumps(config)}
    return parse_settings(args, engine)


def test_everything_but_the_model_has_a_default() -> None:
    assert parse() == Settings("m", "1", "m", {"model": "/weights/x"})


def test_parameters_are_texts_that_become_what_they_mean() -> None:
    settings = parse(
        health_port="9100",
        drain_seconds="1.5",
        engine_silence_seconds="7",
        system_prompt="Hi",
        served_model_name="qwen",
    )
    assert settings.health_port == 9100
    assert settings.drain_seconds == 1.5
    assert settings.engine_silence_seconds == 7
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
        ("engine_silence_seconds", "long"),
        ("engine_silence_seconds", "0"),
    ],
)
def test_a_parameter_that_means_nothing_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=f"parameter {name}"):
        parse(**{name: value})


def test_adapters_come_by_the_parameter_or_by_nvidias_file() -> None:
    adapter = Adapter("poet", "/w/poet", 1)
    assert parse(lora_adapters='[{"name": "poet", "path": "/w/poet"}]').adapters == (adapter,)
    args = {"model_name": "m", "model_version": "1", "model_config": "{}"}
    for on in ("true", '"True"'):
        engine = f'{{"model": "x", "enable_lora": {on}}}'
        assert parse_settings(args, engine, '{"poet": "/w/poet"}').adapters == (adapter,)
    assert parse_settings(args, '{"model": "x"}', '{"poet": "/w/poet"}').adapters == ()


def test_adapters_that_cannot_be_read_are_named_by_where_they_stand() -> None:
    with pytest.raises(BadSettings, match="parameter lora_adapters: entry 1 must be"):
        parse(lora_adapters="[3]")
    args = {"model_name": "m", "model_version": "1", "model_config": "{}"}
    with pytest.raises(BadSettings, match=r"multi_lora.json: not JSON"):
        parse_settings(args, '{"model": "x", "enable_lora": true}', "{")


def test_a_queue_is_bounded_when_the_parameter_says_so() -> None:
    assert parse().max_queued_requests is None
    assert parse(max_queued_requests="0").max_queued_requests == 0
    with pytest.raises(BadSettings, match="parameter max_queued_requests must be a number"):
        parse(max_queued_requests="-1")
