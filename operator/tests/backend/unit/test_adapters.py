from __future__ import annotations

import pytest

from qwen_triton.adapters import Adapter, adapter_for, read_adapters
from qwen_triton.refusals import AsNvidiaSays

POET, CLERK = Adapter("poet", "/w/poet", 1), Adapter("clerk", "org/clerk", 2)


def test_a_parameter_and_nvidias_file_say_the_same() -> None:
    parameter = '[{"name": "poet", "path": "/w/poet"}, {"name": "clerk", "path": "org/clerk"}]'
    file = '{"poet": "/w/poet", "clerk": "org/clerk"}'
    assert read_adapters(parameter, "") == read_adapters("", file) == (POET, CLERK)


def test_without_either_there_are_none() -> None:
    assert read_adapters("", "") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("3", "must be a list"),
        ("[3]", "entry 1 must be"),
        ('[{"name": "a"}]', "entry 1 must be"),
        ('{"a": 3}', "entry 1 must be"),
        ('[{"name": "a", "path": "b"}, {"name": "a", "path": "c"}]', "two adapters are named 'a'"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        read_adapters(text, "")


def test_a_request_gets_the_adapter_that_it_names() -> None:
    assert adapter_for("clerk", (POET, CLERK)) == CLERK
    assert adapter_for(None, (POET, CLERK)) is None


def test_an_unknown_adapter_is_refused_in_nvidias_words_with_those_that_are_known() -> None:
    with pytest.raises(AsNvidiaSays) as refused:
        adapter_for("king", (POET, CLERK))
    assert str(refused.value) == (
        "LoRA king is not supported, we currently support ['poet', 'clerk']"
    )


def test_an_adapter_of_a_model_without_any_is_refused_in_nvidias_words() -> None:
    with pytest.raises(AsNvidiaSays) as refused:
        adapter_for("poet", ())
    assert str(refused.value) == "LoRA feature is not enabled."
