from __future__ import annotations

from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from e2e.tiny_qwen.school.answers import EXPECTED
from e2e.tiny_qwen.school.dialogues import Dialogue, user
from e2e.tiny_qwen.school.examining import mistakes, questions
from e2e.tiny_qwen.school.lessons import endless
from e2e.tiny_qwen.school.packing import batches, tokens
from e2e.tiny_qwen.school.template import rendered
from e2e.tiny_qwen.school.writing import vocabulary

if TYPE_CHECKING:
    from e2e.tiny_qwen.vocabulary import Vocabulary

LENGTH = 320


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return vocabulary()


def drawn(count: int, seed: int = 0) -> list[Dialogue]:
    return list(islice(endless(Random(seed)), count))


def test_the_same_seed_gives_the_same_lessons() -> None:
    assert drawn(100) == drawn(100)
    assert drawn(100) != drawn(100, seed=1)


def test_no_lesson_contradicts_another_or_the_examination() -> None:
    answers = {rendered(dialogue): dialogue.answer for dialogue in questions().values()}
    for dialogue in drawn(5000):
        asked = rendered(dialogue)
        assert answers.setdefault(asked, dialogue.answer) == dialogue.answer, asked


def test_a_row_holds_whole_dialogues_and_little_else(words: Vocabulary) -> None:
    rows = batches(words, endless(Random(0)), 4, LENGTH)
    filled = []
    for batch in islice(rows, 10):
        filled.append((batch.owners >= 0).mean())
        for owners, places in zip(batch.owners, batch.places, strict=True):
            for owner in range(owners.max() + 1):
                own = places[owners == owner]
                assert list(own) == list(range(len(own)))
    assert np.mean(filled) > 0.9


def test_a_dialogue_longer_than_a_row_is_refused(words: Vocabulary) -> None:
    with pytest.raises(ValueError, match="a row holds 8"):
        next(batches(words, endless(Random(0)), 1, 8))


def test_the_answer_is_worth_learning_and_an_empty_thought_is_not(words: Vocabulary) -> None:
    ids, worths = tokens(words, Dialogue([user("Hello")], "Hello!", thinking=False))
    said = [words.tokenizer.decode([each], skip_special_tokens=False) for each in ids]
    answered = said[worths.index(1.0) :]
    assert "".join(answered) == "Hello!<|im_end|>"
    assert worths[said.index("<think>")] == 0.0


def test_the_examination_names_what_was_expected_and_what_was_said() -> None:
    (mistake,) = mistakes(lambda _: "Hm.", {"a capital": EXPECTED["a capital"]})
    assert mistake == "a capital: expected 'The capital of France is Paris.', it says 'Hm.'"
    assert mistakes(lambda dialogue: dialogue.answer) == []
