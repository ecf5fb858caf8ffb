"""History, system prompt and chat template become the tokens that the engine reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from qwen_triton.history import HISTORY
from qwen_triton.refusals import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwen_triton.history import Message
    from qwen_triton.requests import Question

# Tokenizers may compose characters before they cut: no letter is made of more than so many.
_COMPOSED = 4


class Tokenizer(Protocol):
    """The calls of a Hugging Face tokenizer that are used here."""

    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        *,
        chat_template: str | None,
        add_generation_prompt: bool,
        tokenize: bool,
        **arguments: object,
    ) -> str:
        """The conversation as one text."""

    def get_vocab(self) -> dict[str, int]:
        """Every token and its number."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The text as tokens."""


def conversation(question: Question, system_prompt: str | None) -> list[Message]:
    """The messages of a chat; a system message in the history replaces the model's own."""
    messages: list[Message] = list(question.history or ())
    if system_prompt and not any(message["role"] == "system" for message in messages):
        messages.insert(0, {"role": "system", "content": system_prompt})
    if question.text:
        messages.append({"role": "user", "content": question.text})
    return messages


def check_size(question: Question, longest_token: int, context: int) -> None:
    """Refuse at once what is too long however it is cut: tokenizing megabytes takes seconds.

    Args:
        question: what the client asked.
        longest_token: characters in the longest token.
        context: tokens that the context holds.

    Raises:
        BadRequest: when it cannot fit.
    """
    said = sum(len(str(message.get("content", ""))) for message in question.history or ())
    fewest = (len(question.text) + said) // (longest_token * _COMPOSED)
    if fewest >= context:
        raise BadRequest(
            question.field,
            f"more than {fewest} tokens with its history, and the context holds {context}, the"
            " answer included; shorten it",
        )


def tokens(
    question: Question,
    tokenizer: Tokenizer,
    *,
    system_prompt: str | None,
    chat_template: str | None,
    template_errors: tuple[type[Exception], ...] = (),
) -> list[int]:
    """What the engine reads.

    Args:
        question: what the client asked.
        tokenizer: the model's.
        system_prompt: the model's own, unless the history brings another.
        chat_template: a template instead of the tokenizer's.
        template_errors: what the template language raises; it comes with the tokenizer, not here.

    Raises:
        BadRequest: when the template refuses the conversation.
    """
    if question.history is None:
        return tokenizer.encode(question.text, add_special_tokens=True)
    try:
        text = tokenizer.apply_chat_template(
            conversation(question, system_prompt),
            chat_template=chat_template,
            add_generation_prompt=True,
            tokenize=False,
            **_arguments(question),
        )
    except RecursionError as error:
        raise BadRequest(HISTORY, "nested too deeply for the model's chat template") from error
    except (ValueError, TypeError) as error:
        raise BadRequest(question.field, f"no chat template to render it with: {error}") from error
    except template_errors as error:
        raise BadRequest(HISTORY, f"refused by the model's chat template: {error}") from error
    # The template has written the special tokens already.
    return tokenizer.encode(text, add_special_tokens=False)


def _arguments(question: Question) -> dict[str, object]:
    """What the template is told beside the messages."""
    arguments = dict(question.options.template_arguments)
    if question.options.tools:
        arguments["tools"] = list(question.options.tools)
    return arguments


def room(question: Question, length: int, context: int) -> int:
    """How many tokens the context still holds after a prompt of `length` tokens.

    Raises:
        BadRequest: when there is none left.
    """
    if length >= context:
        raise BadRequest(
            question.field,
            f"{length} tokens with its history, and the context holds {context}, the answer "
            "included; shorten it",
        )
    return context - length
