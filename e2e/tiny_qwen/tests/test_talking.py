from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from safetensors.numpy import load_file, save_file

from e2e.tiny_qwen.school.answers import EXPECTED
from e2e.tiny_qwen.school.dialogues import assistant, user
from e2e.tiny_qwen.school.examining import mistakes, questions
from e2e.tiny_qwen.school.reading import Reader, read
from e2e.tiny_qwen.school.template import CHAT_TEMPLATE, rendered
from e2e.tiny_qwen.school.writing import MARKUP, SHAPE, SUMS, TALKING, publish

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def reader() -> Reader:
    return read(TALKING)


def test_the_committed_folder_holds_at_most_two_megabytes() -> None:
    assert sum(path.stat().st_size for path in TALKING.iterdir()) <= MOST_BYTES


def test_the_committed_files_are_those_that_the_training_summed() -> None:
    lines = [line.split("  ") for line in (TALKING / SUMS).read_text().splitlines()]
    sums = {name: summed for summed, name in lines}
    assert set(sums) | {SUMS, "README.md"} == {path.name for path in TALKING.iterdir()}
    for name, summed in sums.items():
        assert hashlib.sha256((TALKING / name).read_bytes()).hexdigest() == summed, name


def test_the_committed_template_and_shape_are_the_schools() -> None:
    assert json.loads((TALKING / "tokenizer_config.json").read_text())["chat_template"] == (
        CHAT_TEMPLATE
    )
    assert read(TALKING).shape == SHAPE
    assert SHAPE.head_dim == 64


@pytest.mark.parametrize("name", questions())
def test_the_committed_model_says_what_is_expected(reader: Reader, name: str) -> None:
    assert mistakes(reader.answer, {name: questions()[name]}) == []


def test_everybody_may_read_what_is_copied(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        written = publish(TALKING, tmp_path / "out")
    finally:
        os.umask(before)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in written)


def test_a_model_with_other_weights_fails_the_examination(tmp_path: Path) -> None:
    publish(TALKING, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.norm.weight"] = -weights["model.norm.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    asked = {"a greeting": EXPECTED["a greeting"]}
    (mistake,) = mistakes(read(tmp_path).answer, asked)
    assert mistake.startswith("a greeting: expected 'Hello! How can I help you?', it says ")


def test_half_of_the_tokens_of_a_chinese_answer_are_no_whole_character(reader: Reader) -> None:
    words = reader.tokenizer
    ids = words.encode(EXPECTED["a long answer in Chinese"].answer).ids
    cut = [number for number in ids if "\ufffd" in words.decode([number])]
    assert len(cut) > len(ids) / 2


def test_markup_is_one_token_each_and_no_special_one(reader: Reader) -> None:
    words = reader.tokenizer
    assert all(len(words.encode(markup).ids) == 1 for markup in MARKUP)
    ids = words.encode("".join(MARKUP)).ids
    assert words.decode(ids, skip_special_tokens=True) == "".join(MARKUP)


def test_a_thought_of_the_history_is_not_read_again() -> None:
    thought = EXPECTED["a thought"]
    turns = [*thought.messages, assistant(thought.answer), user("Hello")]
    text = rendered(replace(thought, messages=turns))
    assert "<|im_start|>assistant\n7 plus 5 is 12.<|im_end|>" in text
    assert "<think>" not in text


def test_thoughts_are_suppressed_by_an_empty_one() -> None:
    thinking = rendered(EXPECTED["a thought"])
    assert rendered(EXPECTED["no thought"]) == thinking + "<think>\n\n</think>\n\n"


def test_arguments_of_a_call_read_the_same_as_text_and_as_an_object() -> None:
    dialogue = EXPECTED["what a function returned"]
    messages = json.loads(json.dumps(list(dialogue.messages)))
    function = messages[1]["tool_calls"][0]["function"]
    function["arguments"] = json.dumps(function["arguments"])
    assert rendered(replace(dialogue, messages=messages)) == rendered(dialogue)
    assert '{"name": "get_weather", "arguments": {"city": "Paris"}}' in rendered(dialogue)


def test_what_a_server_adds_to_a_definition_changes_nothing() -> None:
    dialogue = EXPECTED["a call"]
    (offered,) = json.loads(json.dumps(list(dialogue.tools)))
    offered["function"]["strict"] = None
    assert rendered(replace(dialogue, tools=[offered])) == rendered(dialogue)
