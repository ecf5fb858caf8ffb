from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_triton.chunks import Chunk, Part
from qwen_triton.separation import Pieces, Separation, left_unsaid, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwen_triton.separation import Call


@dataclass
class Said:
    """One answer's part of what an engine says."""

    text: str
    finish_reason: str | None = None
    index: int = 0
    token_ids: Sequence[int] = (1,)
    cumulative_logprob: float | None = None
    logprobs: None = None


@dataclass
class Output:
    outputs: list[Said]
    finished: bool = False


@dataclass
class Marks:
    """Thoughts in (), calls in []; a stream keeps back what stands behind an opening mark."""

    kept: str = ""
    heard: list[tuple[str, list[int], bool]] = field(default_factory=list)

    def whole(self, text: str) -> Pieces:
        calls = [whole_call(name) for name in re.findall(r"\[(.*?)\]", text)]
        thoughts = re.findall(r"\((.*?)\)", text)
        return Pieces(re.sub(r"\[.*?\]|\(.*?\)", "", text), "".join(thoughts), calls)

    def follow(self, text: str, token_ids: Sequence[int], *, finished: bool) -> Pieces:
        self.heard.append((text, list(token_ids), finished))
        self.kept += text
        sure = re.match(r"[^\[(]*(?:(?:\[.*?\]|\(.*?\))[^\[(]*)*", self.kept)
        assert sure is not None
        pieces = self.whole(sure[0])
        self.kept = self.kept[sure.end() :]
        # Calls are numbered over the whole answer; this parser says no second one.
        pieces.calls = [{"index": 0, **call} for call in pieces.calls[:1]]
        return pieces


def whole_call(name: str, arguments: str = "{}") -> Call:
    return {"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}


def bit(index: int, arguments: str, **more: object) -> Call:
    return {"index": index, **more, "function": {"arguments": arguments}}


def follow(separation: Separation, pieces: Sequence[str]) -> Part:
    """Everything that a client puts together from a stream of these pieces."""
    made = Part()
    for number, text in enumerate(pieces, start=1):
        last = number == len(pieces)
        said = Said(text, "stop" if last else None, token_ids=[number])
        part = Part(text=text, tokens=1)
        separation.apply(Chunk([part]), Output([said], finished=last))
        made.add(part)
    return made


@given(st.text("ab[]()"), st.data())
def test_a_stream_adds_up_to_what_the_whole_answer_says(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = Marks().whole(text)
    made = follow(Separation(Marks, stream=True), pieces)
    if made.text == whole.text[: len(made.text)]:
        assert made.text == whole.text
    if made.reasoning == whole.reasoning[: len(made.reasoning)]:
        assert made.reasoning == whole.reasoning


def test_what_a_parser_kept_back_is_said_at_the_end() -> None:
    made = follow(Separation(Marks, stream=True), ["a(b)", "c", "[", "d"])
    assert (made.text, made.reasoning, made.tool_calls) == ("ac[d", "b", [])


def test_a_call_that_the_stream_never_said_is_said_at_its_end() -> None:
    made = follow(Separation(Marks, stream=True), ["[f][g]"])
    assert [(call["index"], call["function"]) for call in made.tool_calls] == [
        (0, {"name": "f", "arguments": "{}"}),
        (1, {"name": "g", "arguments": "{}"}),
    ]


def test_the_parser_of_a_stream_hears_every_token_and_the_end() -> None:
    made: list[Marks] = []

    def make() -> Marks:
        made.append(Marks())
        return made[-1]

    follow(Separation(make, stream=True), ["a", "b"])
    assert made[0].heard == [("a", [1], False), ("b", [2], True)]


def test_each_answer_of_a_request_has_a_parser_of_its_own() -> None:
    separation = Separation(Marks, stream=True)
    chunk = Chunk([Part("a["), Part("(b)")])
    separation.apply(chunk, Output([Said("a[", index=0), Said("(b)", index=1)]))
    assert [(part.text, part.reasoning) for part in chunk.parts] == [("a", ""), ("", "b")]
    chunk = Chunk([Part("]"), Part("c")])
    separation.apply(chunk, Output([Said("]", index=0), Said("c", index=1)]))
    assert [(part.text, len(part.tool_calls)) for part in chunk.parts] == [("", 1), ("c", 0)]


def test_a_whole_answer_is_parsed_as_a_whole() -> None:
    chunk = Chunk([Part("a(b)[f]")], final=True)
    Separation(Marks, stream=False).apply(chunk, Output([Said("a(b)[f]", "stop")]))
    (part,) = chunk.parts
    assert (part.text, part.reasoning, part.tool_calls) == ("a", "b", [whole_call("f")])


def test_bits_of_one_call_become_one_bit() -> None:
    first = {"index": 0, "id": "x", "type": "function", "function": {"name": "f"}}
    assert merged([first], [bit(0, '{"a"'), bit(0, ": 1}"), bit(1, "{}", id="y")]) == [
        {**first, "function": {"name": "f", "arguments": '{"a": 1}'}},
        bit(1, "{}", id="y"),
    ]
    assert first["function"] == {"name": "f"}


@pytest.mark.parametrize(
    ("said", "more"),
    [('{"a"', [bit(0, ": 1}")]), ('{"a": 1}', []), ('{"a":1}', []), ('{"b', [])],
)
def test_arguments_are_completed_unless_they_are_complete_or_others(
    said: str, more: list[Call]
) -> None:
    whole = Pieces(calls=[whole_call("f", '{"a": 1}')])
    assert left_unsaid(Pieces(calls=[bit(0, said)]), whole).calls == more


def test_a_call_that_was_cut_off_is_not_said_again_as_text() -> None:
    said = Pieces("a", "", [bit(0, '{"a')])
    rest = left_unsaid(said, Pieces('a<tool_call>{"a'))
    assert (rest.text, rest.calls) == ("", [])


def test_what_was_said_otherwise_is_left_as_it_is() -> None:
    assert left_unsaid(Pieces("ab", "c"), Pieces("xb", "cd")) == Pieces("", "d")


@given(st.lists(st.sampled_from(['{"a', '": "', "é", '"}', ""])))
def test_merging_bits_loses_no_argument(bits: list[str]) -> None:
    together: list[Call] = []
    for each in bits:
        together = merged(together, [bit(0, each)])
    text = "".join(json.loads(json.dumps(together))[0]["function"]["arguments"] if bits else "")
    assert text == "".join(bits)
