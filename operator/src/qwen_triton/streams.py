"""One request on its way back: what of its answer waits to be sent, and how to stop it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from qwen_triton.responses import arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwen_triton.chunks import Chunk
    from qwen_triton.refusals import Refusal
    from qwen_triton.requests import Question
    from qwen_triton.responses import Array


class Sender(Protocol):
    """Where the answers to one request go."""

    requested: frozenset[str]

    def send(self, arrays: Mapping[str, Array], *, final: bool) -> None:
        """Send one response."""

    def refuse(self, refusal: Refusal) -> None:
        """Send an error as the last response."""

    def is_cancelled(self) -> bool:
        """Whether the client has gone away."""


class Stream:
    """One request.

    While a response is under way the engine goes on; what it says meanwhile is merged into the
    next, so a slow server gets fewer and longer pieces, and a stream holds one chunk.
    """

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.question: Question | None = None
        self.prompt_tokens = 0
        self.cancel: Callable[[], None] | None = None
        self.stopped_because: Refusal | None = None
        self.due = 0.0
        self.closed = False
        self.refused: Refusal | None = None
        self._lock = threading.Lock()
        self._waiting: Chunk | None = None
        self._refusal: Refusal | None = None
        self._queued = False
        self._begun = False

    def put(self, chunk: Chunk | None, refusal: Refusal | None) -> bool:
        """Add to what waits; what says nothing to anybody waits for what does.

        Returns:
            Whether the stream has to be queued: it was not waiting already.
        """
        with self._lock:
            if chunk is not None:
                if self._waiting is None:
                    self._waiting = chunk
                else:
                    self._waiting.add(chunk)
            self._refusal = self._refusal or refusal
            if self._queued:
                return False
            self._queued = self.is_ending or self._has_news
            return self._queued

    def flush(self) -> None:
        """Send what waits.

        Raises:
            Exception: the sender's own, when the server no longer takes it.
        """
        with self._lock:
            chunk, refusal = self._waiting, self._refusal
            self._waiting, self._queued = None, False
        if self.closed:
            return
        if chunk is not None and self.question is not None:
            self.closed = chunk.final
            prefix = self.question.text if self.question.echo and not self._begun else ""
            self._begun = True
            self.sender.send(
                arrays(
                    chunk,
                    self.question,
                    prefix=prefix,
                    prompt_tokens=self.prompt_tokens,
                    requested=self.sender.requested,
                ),
                final=chunk.final,
            )
        if refusal is not None and not self.closed:
            self.closed = True
            self.refused = refusal
            self.sender.refuse(refusal)

    @property
    def has_begun(self) -> bool:
        """Whether something has been sent."""
        return self._begun

    @property
    def _has_news(self) -> bool:
        return self._waiting is not None and self._waiting.says_something

    @property
    def is_ending(self) -> bool:
        """Whether what waits is the end."""
        return self._refusal is not None or (self._waiting is not None and self._waiting.final)

    def stop(self, because: Refusal) -> None:
        """Stop the generation; the first cause is the one that the client is told."""
        self.stopped_because = self.stopped_because or because
        if self.cancel is not None:
            self.cancel()
