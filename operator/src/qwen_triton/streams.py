"""From the engine's loop to Triton: one thread sends, so that the loop never waits for a client.

A response is a synchronous round trip. While one is under way the engine goes on; what a stream
says meanwhile is merged into its next response, so a slow server gets fewer and longer pieces and
the memory here stays one chunk a stream.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from qwen_triton.refusals import Cancelled, Refusal
from qwen_triton.responses import arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwen_triton.chunks import Chunk
    from qwen_triton.requests import Question
    from qwen_triton.responses import Array

# Asking whether a client is still there is a round trip, too: five times a second, not per token.
CANCEL_CHECK_SECONDS = 0.2


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
    """One request on its way: what waits to be sent, and how to stop it."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.question: Question | None = None
        self.prompt_tokens = 0
        self.cancel: Callable[[], None] | None = None
        self.stopped_because: Refusal | None = None
        self.due = 0.0
        self.closed = False
        self._lock = threading.Lock()
        self._waiting: Chunk | None = None
        self._refusal: Refusal | None = None
        self._queued = False
        self._begun = False

    def put(self, chunk: Chunk | None, refusal: Refusal | None) -> bool:
        """Add to what waits.

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
            queued, self._queued = self._queued, True
        return not queued

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
                    self.question.wants,
                    prefix=prefix,
                    prompt_tokens=self.prompt_tokens,
                    requested=self.sender.requested,
                ),
                final=chunk.final,
            )
        if refusal is not None and not self.closed:
            self.closed = True
            self.sender.refuse(refusal)

    def stop(self, because: Refusal) -> None:
        """Stop the generation; the first cause is the one that the client is told."""
        self.stopped_because = self.stopped_because or because
        if self.cancel is not None:
            self.cancel()


class Outbox:
    """The thread that sends, and that notices clients who left."""

    def __init__(self, send_failed: type[Exception], log_error: Callable[[str], None]) -> None:
        self._send_failed = send_failed
        self._log_error = log_error
        self._queue: queue.SimpleQueue[Stream | None] = queue.SimpleQueue()
        self._open: set[Stream] = set()
        self._checks: deque[Stream] = deque()
        self._watching = True
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    @property
    def open_streams(self) -> list[Stream]:
        """Streams that have not got their last response."""
        return list(self._open)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def open(self, stream: Stream) -> None:
        """A request has come in; from now on its client is watched."""
        stream.due = time.monotonic() + CANCEL_CHECK_SECONDS
        self._open.add(stream)
        self._checks.append(stream)

    def put(
        self, stream: Stream, chunk: Chunk | None = None, refusal: Refusal | None = None
    ) -> None:
        """Queue something to send; returns at once."""
        if stream.put(chunk, refusal):
            self._queue.put(stream)

    def stop_checks(self) -> None:
        """Ask no more whether clients are still there."""
        self._watching = False

    def close(self) -> None:
        """Send what is queued, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                stream = self._queue.get(timeout=self._until_next_check())
            except queue.Empty:
                self._check_one()
                continue
            if stream is None:
                return
            self._send(stream)
            self._check_one()

    def _until_next_check(self) -> float:
        if not self._watching or not self._checks:
            return CANCEL_CHECK_SECONDS
        return max(0.0, self._checks[0].due - time.monotonic())

    def _send(self, stream: Stream) -> None:
        try:
            stream.flush()
        except self._send_failed as error:
            stream.closed = True
            stream.stop(Cancelled("the server no longer takes its responses"))
            self._log_error(f"a response could not be sent: {error}")
        if stream.closed:
            self._open.discard(stream)

    def _check_one(self) -> None:
        """At most one check between two responses, so that checks never hold up the tokens."""
        if not self._watching or not self._checks or self._checks[0].due > time.monotonic():
            return
        stream = self._checks.popleft()
        if stream.closed:
            return
        if stream.sender.is_cancelled():
            stream.stop(Cancelled("cancelled by the client"))
            return
        stream.due = time.monotonic() + CANCEL_CHECK_SECONDS
        self._checks.append(stream)
