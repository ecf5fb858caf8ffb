from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from qwen_triton.chunks import Chunk, Part
from qwen_triton.refusals import BadRequest, Refusal, Unavailable
from qwen_triton.requests import Question, Wants
from qwen_triton.streams import CANCEL_CHECK_SECONDS, Outbox, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qwen_triton.responses import Array


class Broken(Exception):
    pass


class Recorder:
    """A sender that remembers, and that can be held up, broken or cancelled."""

    requested = frozenset({"response", "num_output_tokens"})

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, bool]] = []
        self.refused: list[Refusal] = []
        self.done = threading.Event()
        self.sending = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.cancelled = False
        self.broken = False

    def send(self, arrays: Mapping[str, Array], *, final: bool) -> None:
        self.sending.set()
        assert self.go_on.wait(5)
        if self.broken:
            raise Broken
        tokens = int(arrays["num_output_tokens"][0])
        self.sent.append((arrays["response"][0].decode(), tokens, final))
        if final:
            self.done.set()

    def refuse(self, refusal: Refusal) -> None:
        self.refused.append(refusal)
        self.done.set()

    def is_cancelled(self) -> bool:
        return self.cancelled


@pytest.fixture
def errors() -> list[str]:
    return []


@pytest.fixture
def outbox(errors: list[str]) -> Iterator[Outbox]:
    made = Outbox(Broken, errors.append)
    made.start()
    yield made
    made.close()


@pytest.fixture
def sender() -> Recorder:
    return Recorder()


@pytest.fixture
def stream(sender: Recorder, outbox: Outbox) -> Stream:
    made = Stream(sender)
    made.question = Question(
        "Say",
        "prompt",
        None,
        stream=True,
        sampling={},
        echo=False,
        wants=Wants(num_output_tokens=True),
    )
    outbox.open(made)
    return made


def chunk(text: str, *, final: bool = False) -> Chunk:
    return Chunk([Part(text=text, tokens=1)], final=final)


def test_what_comes_while_a_response_is_under_way_is_one_response(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    sender.go_on.clear()
    outbox.put(stream, chunk("a"))
    assert sender.sending.wait(5)
    for text in "bcd":
        outbox.put(stream, chunk(text))
    outbox.put(stream, chunk("e", final=True))
    sender.go_on.set()
    assert sender.done.wait(5)
    assert sender.sent == [("a", 1, False), ("bcde", 4, True)]


def test_an_error_follows_what_was_said_before_it(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    outbox.put(stream, chunk("a"))
    outbox.put(stream, refusal=Unavailable("gone"))
    assert sender.done.wait(5)
    assert [text for text, _, _ in sender.sent] == ["a"]
    assert [str(refusal) for refusal in sender.refused] == ["gone"]


def test_nothing_follows_the_last_response(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    outbox.put(stream, chunk("a", final=True))
    outbox.put(stream, refusal=Unavailable("gone"))
    assert sender.done.wait(5)
    outbox.put(stream, chunk("b"))
    other = Recorder()
    outbox.put(Stream(other), refusal=BadRequest("prompt", "empty"))
    assert other.done.wait(5)
    assert sender.sent == [("a", 1, True)]
    assert sender.refused == []
    assert stream not in outbox.open_streams


def test_the_text_comes_back_once_when_the_client_wants_it(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    stream.question = Question(
        "Say ",
        "text_input",
        None,
        stream=False,
        sampling={},
        echo=True,
        wants=Wants(num_output_tokens=True),
    )
    sender.go_on.clear()
    outbox.put(stream, chunk("a"))
    assert sender.sending.wait(5)
    outbox.put(stream, chunk("b", final=True))
    sender.go_on.set()
    assert sender.done.wait(5)
    assert [text for text, _, _ in sender.sent] == ["Say a", "b"]


def test_a_client_who_left_is_noticed_while_nothing_is_sent(
    stream: Stream, sender: Recorder
) -> None:
    stopped = threading.Event()
    stream.cancel = stopped.set
    sender.cancelled = True
    assert stopped.wait(2)
    assert str(stream.stopped_because) == "cancelled by the client"


def test_nobody_is_asked_for_any_more_when_checks_have_stopped(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    asked = threading.Event()
    sender.is_cancelled = lambda: bool(asked.set())  # type: ignore[method-assign]
    assert asked.wait(2)
    outbox.stop_checks()
    outbox.put(stream, chunk("a"))
    assert sender.sending.wait(2)
    asked.clear()
    assert not asked.wait(3 * CANCEL_CHECK_SECONDS)


def test_a_response_that_cannot_be_sent_stops_that_stream_alone(
    outbox: Outbox, stream: Stream, sender: Recorder, errors: list[str]
) -> None:
    stopped = threading.Event()
    stream.cancel = stopped.set
    sender.broken = True
    outbox.put(stream, chunk("a"))
    assert stopped.wait(5)
    other = Recorder()
    outbox.put(Stream(other), refusal=Unavailable("x"))
    assert other.done.wait(5)
    assert len(errors) == 1


def test_the_first_cause_of_a_stop_is_the_one_that_counts(stream: Stream) -> None:
    stream.stop(Unavailable("first"))
    stream.stop(Unavailable("second"))
    assert str(stream.stopped_because) == "first"
