from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qwen_triton.options import Options
from qwen_triton.prompts import check_size, conversation, room, tokens
from qwen_triton.refusals import BadRequest
from qwen_triton.requests import Question, Wants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwen_triton.history import Message


class TemplateError(Exception):
    pass


class Letters:
    """A tokenizer of letters whose template writes roles and contents."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        *,
        chat_template: str | None,
        add_generation_prompt: bool,
        tokenize: bool,
        **arguments: object,
    ) -> str:
        if self.error is not None:
            raise self.error
        assert add_generation_prompt
        assert not tokenize
        said = "".join(f"{turn['role']}:{turn['content']};" for turn in conversation)
        told = "".join(f"{name}={value};" for name, value in sorted(arguments.items()))
        return (chat_template or "") + told + said

    def get_vocab(self) -> dict[str, int]:
        return {}

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return [0] * add_special_tokens + [ord(letter) for letter in text]


def question(text: str = "Hi", history: tuple[Message, ...] | None = ()) -> Question:
    return Question(text, "prompt", history, stream=False, sampling={}, echo=False, wants=Wants())


def rendered(asked: Question, system: str | None = "Be kind.", template: str | None = None) -> str:
    found = tokens(
        asked,
        Letters(),
        system_prompt=system,
        chat_template=template,
        template_errors=(TemplateError,),
    )
    return "".join(chr(token) for token in found)


def test_the_systems_prompt_opens_the_conversation() -> None:
    assert rendered(question()) == "system:Be kind.;user:Hi;"


def test_a_system_message_of_the_clients_own_replaces_it() -> None:
    own = question(history=({"role": "system", "content": "Be brief."},))
    assert rendered(own) == "system:Be brief.;user:Hi;"


def test_without_a_system_prompt_the_template_is_left_to_its_own() -> None:
    assert rendered(question(), system=None) == "user:Hi;"


def test_a_history_that_ends_with_the_question_gets_no_empty_message() -> None:
    asked = question("", history=({"role": "user", "content": "Hi"},))
    assert conversation(asked, None) == [{"role": "user", "content": "Hi"}]


def test_the_models_own_template_is_used() -> None:
    assert rendered(question(), system=None, template="T>") == "T>user:Hi;"


def test_the_template_is_told_of_tools_and_of_the_clients_arguments() -> None:
    wishes = Options(
        tools=({"function": {"name": "f"}},), template_arguments={"enable_thinking": False}
    )
    asked = replace(question(), options=wishes)
    assert rendered(asked, system=None) == (
        "enable_thinking=False;tools=[{'function': {'name': 'f'}}];user:Hi;"
    )


def test_a_completion_is_rendered_by_no_template_and_opens_as_the_tokenizer_wants() -> None:
    assert rendered(question(history=None)) == "\x00Hi"


@pytest.mark.parametrize(
    ("error", "field", "words"),
    [
        (TemplateError("roles must alternate"), "history", "refused by the model's chat template"),
        (ValueError("chat_template is not set"), "prompt", "no chat template"),
        (RecursionError(), "history", "nested too deeply"),
    ],
)
def test_what_a_template_refuses_is_the_requests_fault(
    error: Exception, field: str, words: str
) -> None:
    with pytest.raises(BadRequest, match=words) as refused:
        tokens(
            question(),
            Letters(error),
            system_prompt=None,
            chat_template=None,
            template_errors=(TemplateError,),
        )
    assert refused.value.field == field


def test_what_cannot_fit_is_refused_before_it_is_cut_into_tokens() -> None:
    asked = question("x" * 30_000, history=({"role": "user", "content": "y" * 30_000},))
    check_size(asked, longest_token=15, context=1001)
    with pytest.raises(BadRequest, match=r"^prompt: more than 1000 tokens .* context holds 1000"):
        check_size(asked, longest_token=15, context=1000)


def test_the_room_for_an_answer_is_what_the_context_still_holds() -> None:
    assert room(question(), length=1000, context=1024) == 24
    assert room(question(), length=1023, context=1024) == 1


def test_a_prompt_that_fills_the_context_is_refused_with_both_numbers() -> None:
    with pytest.raises(BadRequest, match=r"^prompt: 1024 tokens .* context holds 1024"):
        room(question(), length=1024, context=1024)
