"""Takes answers apart into text, reasoning and calls of tools: whole ones, or as they come.

What a stream says in pieces is, in the end, what a whole answer would have said: parsers keep back
what could yet become a mark, and not all of them let go of it when the answer ends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwen_triton.chunks import Chunk, CompletionOutput, Part, RequestOutput

Call = dict[str, object]


@dataclass(slots=True)
class Pieces:
    """An answer taken apart, or what is new in it.

    Attributes:
        text: what is said to the user.
        reasoning: what was thought before.
        calls: as OpenAI's API has them; of a stream with "index", and arguments bit by bit.
    """

    text: str = ""
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)

    def add(self, later: Pieces) -> None:
        """Append what came later."""
        self.text += later.text
        self.reasoning += later.reasoning
        self.calls = merged(self.calls, later.calls)


class Parser(Protocol):
    """The parsers of one answer."""

    def whole(self, text: str) -> Pieces:
        """Take a whole answer apart."""

    def follow(self, text: str, token_ids: Sequence[int], *, finished: bool) -> Pieces:
        """Take the next piece of an answer apart."""


def merged(earlier: Sequence[Mapping[str, object]], later: Sequence[Call]) -> list[Call]:
    """Pieces of calls, those of one call in one piece, as clients put them together."""
    made = [dict(call) for call in earlier]
    for call in later:
        at = next((n for n, known in enumerate(made) if known.get("index") == call["index"]), None)
        if at is None:
            made.append(dict(call))
            continue
        before, more = _function(made[at]), _function(call)
        arguments = str(before.get("arguments") or "") + str(more.get("arguments") or "")
        made[at] |= call | {"function": before | more | {"arguments": arguments}}
    return made


def left_unsaid(said: Pieces, whole: Pieces) -> Pieces:
    """What a stream has to add at its end, so that it has said what the whole answer says.

    Where the stream went another way, nothing: what was said cannot be taken back.
    """
    rest = Pieces(reasoning=_rest(said.reasoning, whole.reasoning))
    if len(whole.calls) < len(said.calls):
        # A call that was cut off is none to the parser of whole answers, and text.
        return rest
    rest.text = _rest(said.text, whole.text)
    for index, call in enumerate(whole.calls):
        if index >= len(said.calls):
            rest.calls.append({"index": index, **call})
            continue
        arguments = str(_function(said.calls[index]).get("arguments") or "")
        more = _rest(arguments, str(_function(call).get("arguments") or ""))
        if more and not _is_json(arguments):
            rest.calls.append({"index": index, "function": {"arguments": more}})
    return rest


def _rest(said: str, whole: str) -> str:
    return whole[len(said) :] if whole.startswith(said) else ""


def _function(call: Mapping[str, object]) -> dict[str, object]:
    function = call.get("function")
    return dict(function) if isinstance(function, dict) else {}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


class Separation:
    """How the answers to one request are taken apart.

    Args:
        make: makes the parsers of one answer.
        stream: whether the answers come in pieces.
    """

    def __init__(self, make: Callable[[], Parser], *, stream: bool) -> None:
        self._make = make
        self._stream = stream
        self._followed: dict[int, _Followed] = {}

    def apply(self, chunk: Chunk, output: RequestOutput) -> None:
        """Take each of the answers apart, in place.

        Args:
            chunk: made of the output.
            output: what the engine said.
        """
        for completion in output.outputs:
            self._apply(chunk.parts[completion.index], completion)

    def _apply(self, part: Part, completion: CompletionOutput) -> None:
        if self._stream:
            followed = self._followed.setdefault(completion.index, _Followed(self._make))
            pieces = followed.next(completion)
        else:
            pieces = self._make().whole(part.text)
        part.text, part.reasoning, part.tool_calls = pieces.text, pieces.reasoning, pieces.calls


class _Followed:
    """One answer of a stream: what has come, and what has been said of it."""

    def __init__(self, make: Callable[[], Parser]) -> None:
        self._make = make
        self._parser = make()
        self._text = ""
        self._said = Pieces()

    def next(self, completion: CompletionOutput) -> Pieces:
        finished = completion.finish_reason is not None
        self._text += completion.text
        found = self._parser.follow(completion.text, list(completion.token_ids), finished=finished)
        self._said.add(found)
        if finished:
            found.add(left_unsaid(self._said, self._make().whole(self._text)))
        return found
