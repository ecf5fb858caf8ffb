"""VLLM's own parsers take a model's reasoning and its calls of tools out of an answer.

Those that the OpenAI endpoint uses, too. Since 0.22 vLLM has one parser that follows a stream for
both; before, its server asks the two in turn, as `_InTurn` does. Only imported where vllm is.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwen_triton.adapting import find
from qwen_triton.options import TOOLS
from qwen_triton.refusals import BadRequest
from qwen_triton.separation import Pieces, Separation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qwen_triton.requests import Question
    from qwen_triton.settings import Settings

_REQUESTS = (
    "vllm.entrypoints.openai.chat_completion.protocol",
    "vllm.entrypoints.openai.protocol",
)
_TOOLS = ("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers")
_REASONING = ("vllm.reasoning",)
_BOTH = ("vllm.parser",)


@dataclass(frozen=True, slots=True)
class Parsers:
    """What the parsers of every answer to one request are made of.

    Attributes:
        request: as vLLM's OpenAI server would have got it.
        make_reasoning: makes a parser of reasoning; None where none is wanted.
        make_tools: makes a parser of calls; None where none is wanted.
        make_both: makes vLLM's parser for streams of both; None where this vLLM has none.
        prompt: the prompt's tokens.
    """

    request: Any
    make_reasoning: Callable[[], Any] | None
    make_tools: Callable[[], Any] | None
    make_both: Callable[[], Any] | None
    prompt: Sequence[int]


def separation(
    question: Question, settings: Settings, tokenizer: object, prompt: Sequence[int], config: object
) -> tuple[Separation, bool]:
    """How the answers to a question are taken apart.

    Returns:
        That, and whether the parsers can do without special tokens in the text.

    Raises:
        BadRequest: when the model has no such parser, or vLLM refuses the tools.
    """
    request, wants = _request(question), question.wants
    known: dict[str, object] = {
        "chat_template_kwargs": dict(question.options.template_arguments),
        "model_config": config,
    }
    with_tools = known | {"tools": request.tools}
    reasoning = tools = None
    if settings.reasoning_parser is not None:
        # Also where only the calls are wanted: what a model thinks about calling is no call.
        with _told("return_reasoning", settings.reasoning_parser):
            kind = _manager(_REASONING, "Reasoning").get_reasoning_parser(settings.reasoning_parser)
            reasoning = _maker(kind, tokenizer, known)
            reasoning()
    elif wants.reasoning:
        raise BadRequest("return_reasoning", "the model has no reasoning parser")
    if wants.tool_calls:
        if settings.tool_call_parser is None:
            raise BadRequest("return_tool_calls", "the model has no parser of tool calls")
        with _told("return_tool_calls", settings.tool_call_parser):
            kind = _manager(_TOOLS, "Tool").get_tool_parser(settings.tool_call_parser)
            tools = _maker(kind, tokenizer, with_tools)
            request = tools().adjust_request(request)
            # Tools may have been told in the prompt alone.
            request.tool_choice = "auto"
    names = (settings.tool_call_parser if wants.tool_calls else None, settings.reasoning_parser)
    both = _maker_of_both(*names, tokenizer, with_tools)
    parsers = Parsers(request, reasoning, tools, both, prompt)
    made = Separation(lambda: _Answer(parsers), stream=question.stream)
    return made, bool(request.skip_special_tokens)


def _maker_of_both(
    tools: str | None, reasoning: str | None, tokenizer: object, known: dict[str, object]
) -> Callable[[], Any] | None:
    try:
        manager: Any = find(_BOTH, "ParserManager")
    except ImportError:
        return None
    kind = manager.get_parser(
        tool_parser_name=tools, reasoning_parser_name=reasoning, enable_auto_tools=True
    )
    return _maker(kind, tokenizer, known) if hasattr(kind, "parse_delta") else None


class _Answer:
    """The parsers of one answer; implements separation.Parser."""

    def __init__(self, parsers: Parsers) -> None:
        self._parsers = parsers
        made = parsers.make_both() if parsers.make_both is not None else _InTurn(parsers)
        self._parse_delta: Callable[..., Any] = made.parse_delta
        self._wanted = frozenset(inspect.signature(made.parse_delta).parameters)

    def whole(self, text: str) -> Pieces:
        parsers, content, made = self._parsers, text, Pieces()
        if parsers.make_reasoning is not None:
            parser = parsers.make_reasoning()
            extract = getattr(parser, "extract_reasoning", None)
            extract = extract or parser.extract_reasoning_content
            thought, said = extract(text, parsers.request)
            made.reasoning, content = thought or "", said or ""
        if parsers.make_tools is not None:
            found = parsers.make_tools().extract_tool_calls(content, parsers.request)
            made.calls = [each.model_dump(exclude_none=True) for each in found.tool_calls]
            content = found.content or ""
        made.text = content
        return made

    def follow(self, text: str, token_ids: Sequence[int], *, finished: bool) -> Pieces:
        known = {
            "delta_text": text,
            "delta_token_ids": token_ids,
            "request": self._parsers.request,
            "prompt_token_ids": self._parsers.prompt,
            "finished": finished,
        }
        given = {name: value for name, value in known.items() if name in self._wanted}
        return _pieces(self._parse_delta(**given))


class _InTurn:
    """A stream as vLLM's server follows it before 0.22: first the thought, then the calls."""

    def __init__(self, parsers: Parsers) -> None:
        self._parsers = parsers
        self._reasoning = parsers.make_reasoning() if parsers.make_reasoning else None
        self._tools = parsers.make_tools() if parsers.make_tools else None
        # What came since the beginning, or since the thought's end.
        self._text, self._ids = "", list[int]()
        self._thinks = self._reasoning is not None and not self._is_end(parsers.prompt)

    def parse_delta(self, delta_text: str, delta_token_ids: list[int]) -> Pieces:
        """What is new."""
        if not self._thinks:
            return self._called(delta_text, delta_token_ids)
        extract = getattr(self._reasoning, "extract_reasoning_streaming", None)
        extract = extract or self._reasoning.extract_reasoning_content_streaming  # type: ignore[union-attr]
        found = _pieces(self._next(extract, delta_text, delta_token_ids))
        if not self._is_end(self._ids):
            return found
        self._thinks = False
        after = list(self._reasoning.extract_content_ids(delta_token_ids))  # type: ignore[union-attr]
        self._text, self._ids = "", []
        # What came behind the thought, in the same breath.
        called = self._called(found.text, after)
        return Pieces(called.text, found.reasoning, called.calls)

    def _called(self, text: str, token_ids: list[int]) -> Pieces:
        if self._tools is None or not (text or token_ids):
            return Pieces(text)
        extract = self._tools.extract_tool_calls_streaming
        return _pieces(self._next(extract, text, token_ids, self._parsers.request))

    def _next(self, extract: Callable[..., Any], text: str, ids: list[int], *more: object) -> Any:  # noqa: ANN401
        before, ids_before = self._text, self._ids
        self._text, self._ids = before + text, ids_before + ids
        return extract(before, self._text, text, ids_before, self._ids, ids, *more)

    def _is_end(self, token_ids: Sequence[int]) -> bool:
        return bool(self._reasoning.is_reasoning_end(list(token_ids)))  # type: ignore[union-attr]


def _pieces(delta: Any) -> Pieces:  # noqa: ANN401
    """What a parser of vLLM says is new: nothing, or a message of OpenAI's streams."""
    if delta is None or isinstance(delta, Pieces):
        return delta or Pieces()
    reasoning = getattr(delta, "reasoning", None) or getattr(delta, "reasoning_content", None)
    calls = [each.model_dump(exclude_none=True) for each in delta.tool_calls or ()]
    return Pieces(delta.content or "", reasoning or "", calls)


@contextmanager
def _told(field: str, parser: str) -> Iterator[None]:
    """A parser that cannot be used is told to who asked for what it finds."""
    try:
        yield
    except (KeyError, ImportError, RuntimeError, ValueError, TypeError) as error:
        raise BadRequest(field, f"the model's parser {parser!r} cannot be used: {error}") from error


def _manager(places: Sequence[str], kind: str) -> Any:  # noqa: ANN401
    return find(places, f"{kind}ParserManager")


def _request(question: Question) -> Any:  # noqa: ANN401  vLLM's type, of many versions
    """The request as vLLM's OpenAI server would have got it: its parsers look into it."""
    made = find(_REQUESTS, "ChatCompletionRequest")
    tools = [dict(tool) for tool in question.options.tools]
    try:
        return made(
            messages=[{"role": "user", "content": question.text}],
            model="",
            **({"tools": tools, "tool_choice": "auto"} if tools else {}),
            chat_template_kwargs=dict(question.options.template_arguments) or None,
        )
    except ValueError as error:
        raise BadRequest(TOOLS, str(error)) from error


def _maker(
    kind: Callable[..., Any], tokenizer: object, known: dict[str, object]
) -> Callable[[], Any]:
    """Makes parsers, with those arguments that this version of them takes."""
    wanted = inspect.signature(kind).parameters
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in wanted.values())
    given = {name: value for name, value in known.items() if takes_all or name in wanted}
    return lambda: kind(tokenizer, **given)
