"""The measured models have the sizes and the vocabulary that they are named for."""

from __future__ import annotations

from benchmarks.serving.shapes import SHAPES, tokenizer
from qwenctl.bench.prompts import prompt


def test_the_tokenizer_has_as_many_tokens_as_qwen_and_reads_what_it_writes() -> None:
    words = tokenizer()
    assert words.get_vocab_size(with_added_tokens=False) == 151_643
    text = prompt(3, 1, 32)
    assert words.decode(words.encode(text).ids) == text
    assert max(shape.vocab for shape in SHAPES.values()) >= words.get_vocab_size()


def test_no_two_questions_of_a_run_begin_alike() -> None:
    texts = [
        prompt(stream, turn, level) for stream in (1, 11) for turn in (1, 11) for level in (1, 11)
    ]
    assert len({text[:12] for text in texts}) == len(texts)
    assert prompt(1, 2, 3) == prompt(1, 2, 3)
