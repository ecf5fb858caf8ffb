"""From the engine's loop to Triton: one thread sends, so that the loop never waits for a client.

A response is a synchronous round trip between two processes, and a dear one: some 100 us of CPU
where it comes alone, half of that in a row with others, while both processes are awake. So all
streams that have news are sent in one turn, and the more streams there are, the longer a turn
waits for what they say: each gets fewer and longer pieces (pacing.py).
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from qwen_triton.pacing import Pacing, processors
from qwen_triton.refusals import Cancelled, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qwen_triton.chunks import Chunk
    from qwen_triton.streams import Stream

# Asking whether a client is still there is a round trip, too: a few times a second, not per token.
CANCEL_CHECK_SECONDS = 0.4


class Outbox:
    """The thread that sends, and that notices clients who left.

    Args:
        send_failed: what a sender raises when the server no longer takes its responses.
        log_error: one line about what went wrong.
        on_left: called when a client is found to have left; its request is being stopped.
        on_refused: called with each error that has been sent as a last response.
    """

    def __init__(
        self,
        send_failed: type[Exception],
        log_error: Callable[[str], None],
        *,
        on_left: Callable[[], object],
        on_refused: Callable[[Refusal], object],
    ) -> None:
        self._send_failed = send_failed
        self._log_error = log_error
        self._on_left = on_left
        self._on_refused = on_refused
        self._queue: queue.SimpleQueue[Sequence[Stream] | None] = queue.SimpleQueue()
        self._open: set[Stream] = set()
        self._checks: deque[Stream] = deque()
        self._turn: list[Stream] = []
        self._pacing = Pacing(processors())
        self._next_turn = 0.0
        self._flowing: set[Stream] = set()
        self._watching = True
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    @property
    def open_streams(self) -> list[Stream]:
        """Streams that have not got their last response."""
        return list(self._open)

    @property
    def has_died(self) -> bool:
        """Whether nothing is sent any more although it should be."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def open(self, stream: Stream) -> None:
        """A request has come in; from now on its client is watched."""
        stream.due = time.monotonic() + CANCEL_CHECK_SECONDS
        self._open.add(stream)
        self._checks.append(stream)

    def put(self, stream: Stream, refusal: Refusal) -> None:
        """Queue an error as a stream's last response; returns at once."""
        if stream.put(None, refusal):
            self._queue.put((stream,))

    def put_all(self, said: Iterable[tuple[Stream, Chunk]]) -> None:
        """Queue what an engine's step said; returns at once."""
        news = [stream for stream, chunk in said if stream.put(chunk, None)]
        if news:
            self._pacing.heard(time.monotonic())
            self._queue.put(news)

    def stop_checks(self) -> None:
        """Ask no more whether clients are still there."""
        self._watching = False

    def close(self) -> None:
        """Send what is queued, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while not self._ends:
            with suppress(queue.Empty):
                self._take(self._queue.get(timeout=self._until_next()))
            self._take_all()
            if self._turn and self._next_turn <= time.monotonic():
                self._send_turn()
            self._check_those_due()
        for stream in self._turn:
            self._send(stream)

    def _take_all(self) -> None:
        while not self._queue.empty():
            self._take(self._queue.get())

    def _take(self, streams: Sequence[Stream] | None) -> None:
        """First and last pieces go at once, others when it is their turn."""
        if streams is None:
            self._ends = True
            return
        for stream in streams:
            if stream.is_ending or not stream.has_begun:
                self._send(stream)
            else:
                self._turn.append(stream)

    def _send_turn(self) -> None:
        streams, self._turn = self._turn, []
        self._next_turn = time.monotonic() + self._pacing.between(len(self._flowing))
        for stream in streams:
            self._send(stream)
            # A first piece that comes meanwhile does not wait for all of these.
            self._take_all()

    def _until_next(self) -> float:
        """Seconds until it is somebody's turn or a client must be looked after."""
        due = [self._next_turn] if self._turn else []
        if self._watching and self._checks:
            due.append(self._checks[0].due)
        return max(0.0, min(due) - time.monotonic()) if due else CANCEL_CHECK_SECONDS

    def _send(self, stream: Stream) -> None:
        try:
            stream.flush()
            if stream.refused is not None and stream in self._open:
                self._on_refused(stream.refused)
        except self._send_failed as error:
            stream.closed = True
            stream.stop(Cancelled("the server no longer takes its responses"))
            self._log_error(f"a response could not be sent: {error}")
        except Exception as error:  # noqa: BLE001  a defect in one answer must not silence all others
            self._give_up(stream, error)
        if stream.closed:
            self._open.discard(stream)
            self._flowing.discard(stream)
        elif stream.has_begun:
            self._flowing.add(stream)

    def _give_up(self, stream: Stream, error: Exception) -> None:
        words = f"a response could not be made: {type(error).__name__}: {error}"
        self._log_error(words)
        stream.closed = True
        stream.stop(Refusal(words))
        with suppress(self._send_failed):
            stream.sender.refuse(Refusal(words))

    def _check_those_due(self) -> None:
        """After a turn, and one at a time, so that checks never hold up the tokens."""
        while self._watching and self._checks and self._queue.empty():
            if self._checks[0].due > time.monotonic():
                return
            stream = self._checks.popleft()
            if stream.closed:
                continue
            if stream.sender.is_cancelled():
                stream.stop(Cancelled("cancelled by the client"))
                self._on_left()
                continue
            stream.due = time.monotonic() + CANCEL_CHECK_SECONDS
            self._checks.append(stream)
