"""From tensors to one typed question; every mistake of a client is named with its field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from qwen_triton import options
from qwen_triton.history import HISTORY, Message, read_history
from qwen_triton.options import Options, read_options
from qwen_triton.parsing import kind_of, parse_json
from qwen_triton.refusals import AsNvidiaSays, BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

PROMPT = "prompt"
TEXT_INPUT = "text_input"
SAMPLING = "sampling_parameters"
RESPONSE = "response"
TEXT_OUTPUT = "text_output"

_NO_OPTIONS = Options()

# Options that may come as tensors of their own, as JSON.
_JSON_OPTIONS = (options.TOOLS, options.TEMPLATE_ARGUMENTS)

# Word for word what NVIDIA's backend answers: its clients compare.
_NO_ECHO = (
    "Error generating stream: When streaming, `exclude_input_in_output` = False is not allowed."
)


class Tensors(Protocol):
    """The inputs of one Triton request."""

    def first(self, name: str) -> object | None:
        """The first element of the tensor `name`, or None when the request has no such tensor."""

    def parameters(self) -> str:
        """The request's own parameters as a JSON object."""

    def request_id(self) -> str:
        """The name that the client gave the request; empty when it gave none."""


# After these it is the model's turn: a question, or the result of a call that it wished for.
_ASKING = ("user", "tool")


@dataclass(frozen=True, slots=True)
class Wants:
    """Which of the optional outputs the client asked for: NVIDIA's, and the last two ours."""

    finish_reason: bool = False
    cumulative_logprob: bool = False
    logprobs: bool = False
    num_input_tokens: bool = False
    num_output_tokens: bool = False
    reasoning: bool = False
    tool_calls: bool = False


NOTHING = Wants()


@dataclass(frozen=True, slots=True)
class Question:
    """One request, understood.

    Attributes:
        text: what the client wrote into `field`; empty when the history ends with the question.
        field: the input that carried the text, for messages about it.
        history: earlier messages; None means that `text` is to be completed as it stands.
        stream: whether deltas are wanted.
        sampling: vLLM sampling parameters as the client gave them.
        echo: whether the answer starts with the text itself, as NVIDIA's backend does.
        wants: optional outputs.
        options: what the client said beside all that.
        name: the client's id of the request, empty when it gave none.
    """

    text: str
    field: str
    history: tuple[Message, ...] | None
    stream: bool
    sampling: Mapping[str, object]
    echo: bool
    wants: Wants
    options: Options = _NO_OPTIONS
    name: str = ""

    @property
    def text_outputs(self) -> tuple[str, ...]:
        """Outputs that carry the answer's text unless the client names some.

        The text comes under both names; to a stream that was asked for in NVIDIA's words, under
        NVIDIA's alone, as from its backend: each output is a third of what a response costs.
        """
        is_nvidias = self.field == TEXT_INPUT and self.history is None
        return (TEXT_OUTPUT,) if is_nvidias and self.stream else (RESPONSE, TEXT_OUTPUT)


def read_question(tensors: Tensors) -> Question:
    """Read one request.

    Raises:
        BadRequest: naming the field that is wrong.
    """
    prompt, text_input = _text(tensors, PROMPT), _text(tensors, TEXT_INPUT)
    if prompt is not None and text_input is not None:
        raise BadRequest(PROMPT, f"given together with {TEXT_INPUT}; send one of the two")
    asked = TEXT_INPUT if text_input is not None else PROMPT
    text = text_input if text_input is not None else prompt
    earlier = _text(tensors, HISTORY)
    history = None if earlier is None else read_history(earlier)
    if not text and not (text is None and history and history[-1]["role"] in _ASKING):
        raise BadRequest(asked, "empty; write what the model should answer")
    raw = asked == TEXT_INPUT and history is None
    stream = _flag(tensors, "stream", default=False)
    echo = not _flag(tensors, "exclude_input_in_output", default=stream or not raw)
    if echo and stream:
        raise AsNvidiaSays("exclude_input_in_output", _NO_ECHO)
    sampling, wishes = _sampling(tensors)
    wants = Wants(
        **{
            name: _flag(tensors, f"return_{name}", default=False)
            for name in Wants.__dataclass_fields__
        }
    )
    if raw:
        _check_parts(wants)
    return Question(
        text=text or "",
        field=asked if text else HISTORY,
        history=None if raw else history or (),
        stream=stream,
        sampling=sampling,
        echo=echo,
        wants=wants,
        options=wishes,
        name=tensors.request_id(),
    )


def _text(tensors: Tensors, name: str) -> str | None:
    value = tensors.first(name)
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise BadRequest(name, f"must be text, not {type(value).__name__}")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(name, f"not UTF-8: {error.reason} at byte {error.start}") from error


def _flag(tensors: Tensors, name: str, *, default: bool) -> bool:
    value = tensors.first(name)
    return default if value is None else bool(value)


def _sampling(tensors: Tensors) -> tuple[Mapping[str, object], Options]:
    """The tensor if there is one, otherwise the request's own parameters, as NVIDIA's backend."""
    text = _text(tensors, SAMPLING)
    given = parse_json(
        SAMPLING, SAMPLING, text if text is not None else tensors.parameters() or "{}"
    )
    if not isinstance(given, dict):
        raise BadRequest(SAMPLING, f"must be a JSON object, not {kind_of(given)}")
    sampling = {name: value for name, value in given.items() if name not in options.NAMES}
    tensor_options = {name: _text(tensors, name) for name in _JSON_OPTIONS}
    for name, json_text in tensor_options.items():
        if json_text is not None and given.get(name) is not None:
            raise BadRequest(name, f"given twice, also in {SAMPLING}; send one of the two")
    said = given | {name: value for name, value in tensor_options.items() if value is not None}
    return sampling, read_options(said, SAMPLING)


def _check_parts(wants: Wants) -> None:
    """Reasoning and calls are parts of a chat's answer."""
    for name, wanted in (("reasoning", wants.reasoning), ("tool_calls", wants.tool_calls)):
        if wanted:
            why = f"not possible together with {TEXT_INPUT}; send {PROMPT}"
            raise BadRequest(f"return_{name}", why)
