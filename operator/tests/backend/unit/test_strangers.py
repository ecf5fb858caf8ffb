"""Whatever a client sends, on whatever input: it is understood, or refused with a field's name."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_triton.options import NAMES as OPTIONS
from qwen_triton.parsing import DEEPEST
from qwen_triton.refusals import AsNvidiaSays, BadRequest
from qwen_triton.requests import Question, Wants, read_question
from qwen_triton.sampling import KINDS, sampling_arguments
from qwen_triton.structured import NAMES as FORMS

TEXTS = ("prompt", "text_input", "history", "sampling_parameters", "tools", "chat_template_kwargs")
FLAGS = ("stream", "exclude_input_in_output", *(f"return_{each}" for each in Wants.__slots__))
FIELDS = (*KINDS, *FORMS, *OPTIONS, "best_of", "use_beam_search", "early_stopping")
KNOWN = {*KINDS, "structured_outputs"}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["1e3", "0x1", "٣", "1_0", " 1 ", "9" * 5000, "\ud800", "True", "[1]", "{}"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
# Like what is meant, for otherwise all would fail at the first brace.
NEARLY = (
    st.dictionaries(st.sampled_from(FIELDS) | st.text(), VALUES, max_size=4)
    | st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "tool", "king"])},
            optional={"content": VALUES, "tool_calls": VALUES, "name": VALUES},
        )
        | VALUES,
        max_size=3,
    )
    | VALUES
)
JSON = NEARLY.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
BYTES = st.binary() | JSON | st.text().map(lambda text: text.encode("utf-8", "replace"))


class Stranger:
    """A request of somebody who may send anything."""

    def __init__(self, tensors: dict[str, object], parameters: str = "{}", name: str = "") -> None:
        self.tensors = tensors
        self.own = parameters
        self.name = name

    def first(self, name: str) -> object | None:
        return self.tensors.get(name)

    def parameters(self) -> str:
        return self.own

    def request_id(self) -> str:
        return self.name


def understood(request: Stranger) -> Question | None:
    """The question; None where it is refused as it should be, and nothing else is let through."""
    found: list[Question] = []
    refusal = refusal_of(request, found)
    if refusal is None:
        return found[0]
    words = str(refusal)
    assert words.startswith(refusal.field) or isinstance(refusal, AsNvidiaSays)
    assert len(words) < 2000
    return None


def refusal_of(request: Stranger, found: list[Question]) -> BadRequest | None:
    try:
        question = read_question(request)
        sampling_arguments(question.sampling, KNOWN, {}, vocabulary=100)
    except BadRequest as refusal:
        return refusal
    found.append(question)
    return None


@settings(max_examples=400, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(TEXTS, BYTES) | {name: st.booleans() for name in FLAGS},
    ),
    NEARLY.map(json.dumps) | st.text(),
    st.text(),
)
def test_anything_on_any_input(tensors: dict[str, object], parameters: str, name: str) -> None:
    question = understood(Stranger(tensors, parameters, name))
    assert question is None or question.field in {"prompt", "text_input", "history"}


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
def test_any_value_of_any_parameter(sampling: dict[str, object]) -> None:
    text = json.dumps(sampling).encode("utf-8", "surrogatepass")
    understood(Stranger({"prompt": b"a", "sampling_parameters": text}))


@pytest.mark.parametrize(
    "name", ["history", "sampling_parameters", "tools", "chat_template_kwargs"]
)
@pytest.mark.parametrize("bomb", [b"[" * 10**6, b'{"a":' * 10**6, b"[" * 900 + b"]" * 900])
def test_nesting_is_refused_and_not_followed(name: str, bomb: bytes) -> None:
    assert understood(Stranger({"prompt": b"a", name: bomb})) is None


@pytest.mark.parametrize("field", [*FIELDS, "unknown"])
def test_nesting_below_a_parameter_is_refused(field: str) -> None:
    deep = f'{{"{field}":'.encode() + b"[" * 800 + b"]" * 800 + b"}"
    assert understood(Stranger({"prompt": b"a", "sampling_parameters": deep})) is None


@pytest.mark.parametrize("depth", [DEEPEST - 1, DEEPEST + 1])
def test_so_deep_and_no_deeper(depth: int) -> None:
    arguments = b'{"a": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    question = understood(Stranger({"prompt": b"a", "chat_template_kwargs": arguments}))
    assert (question is not None) == (depth < DEEPEST)


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_utf8_is_refused_by_its_inputs_name(name: str) -> None:
    tensors: dict[str, object] = {"prompt": b"a", name: b'{"\xff": 1}'}
    with pytest.raises(BadRequest, match=f"^{name}: "):
        read_question(Stranger(tensors if name != "text_input" else {name: b"\xff"}))


def test_ten_megabytes_are_read_at_once() -> None:
    begun = time.monotonic()
    question = read_question(Stranger({"prompt": b"river " * 1_700_000}))
    assert len(question.text) == 10_200_000
    with suppress(BadRequest):
        read_question(Stranger({"prompt": b"a", "sampling_parameters": b'"' + b"x" * 10**7}))
    assert time.monotonic() - begun < 2
