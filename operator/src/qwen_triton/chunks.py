"""A piece of an answer between engine and client, and how two pieces become one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from qwen_triton.separation import merged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwen_triton.separation import Call


class Logprob(Protocol):
    """One candidate token as vLLM reports it."""

    logprob: float
    rank: int | None
    decoded_token: str | None


class CompletionOutput(Protocol):
    """One of the n answers in a vLLM output; with DELTA outputs only what is new."""

    index: int
    text: str
    token_ids: Sequence[int]
    cumulative_logprob: float | None
    logprobs: Sequence[Mapping[int, Logprob]] | None
    finish_reason: str | None


class RequestOutput(Protocol):
    """What vLLM yields for a request."""

    outputs: Sequence[CompletionOutput]
    finished: bool


@dataclass(slots=True)
class Part:
    """What is new in one of the n answers; reasoning and calls where they are taken out of it."""

    text: str = ""
    tokens: int = 0
    logprobs: list[Mapping[int, Logprob]] | None = None
    cumulative_logprob: float | None = None
    finish_reason: str | None = None
    reasoning: str = ""
    tool_calls: list[Call] = field(default_factory=list)

    def add(self, later: Part) -> None:
        """Append what came later."""
        self.text += later.text
        self.tokens += later.tokens
        if later.reasoning:
            self.reasoning += later.reasoning
        if later.tool_calls:
            self.tool_calls = merged(self.tool_calls, later.tool_calls)
        if later.logprobs is not None:
            self.logprobs = (self.logprobs or []) + later.logprobs
        if later.cumulative_logprob is not None:
            self.cumulative_logprob = later.cumulative_logprob
        self.finish_reason = later.finish_reason or self.finish_reason


@dataclass(slots=True)
class Chunk:
    """What is new in a request: one part for each of its n answers."""

    parts: list[Part] = field(default_factory=list)
    final: bool = False

    def add(self, later: Chunk) -> None:
        """Append what came later, so that a slow client gets fewer and longer pieces."""
        while len(self.parts) < len(later.parts):
            self.parts.append(Part())
        for part, new in zip(self.parts, later.parts, strict=False):
            part.add(new)
        self.final = self.final or later.final

    @property
    def says_something(self) -> bool:
        """Whether a client would see more of an answer."""
        return any(part.text or part.reasoning or part.tool_calls for part in self.parts)

    def drop_logprobs(self) -> None:
        """Forget what the client has not asked for."""
        for part in self.parts:
            part.logprobs = None


def chunk_of(output: RequestOutput, answers: int) -> Chunk:
    """The chunk in a vLLM output; answers without news get an empty part."""
    if answers == 1 and len(output.outputs) == 1:
        return Chunk(parts=[_part(output.outputs[0])], final=output.finished)
    parts = [Part() for _ in range(answers)]
    for completion in output.outputs:
        parts[completion.index].add(_part(completion))
    return Chunk(parts=parts, final=output.finished)


def _part(completion: CompletionOutput) -> Part:
    return Part(
        text=completion.text,
        tokens=len(completion.token_ids),
        logprobs=None if completion.logprobs is None else list(completion.logprobs),
        cumulative_logprob=completion.cumulative_logprob,
        finish_reason=completion.finish_reason,
    )
