from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from qwen_triton.chunks import Chunk, Part
from qwen_triton.outbox import CANCEL_CHECK_SECONDS, Outbox
from qwen_triton.pacing import LONGEST_PACE_SECONDS
from qwen_triton.refusals import BadRequest, Refusal, Unavailable
from qwen_triton.requests import Question, Wants
from qwen_triton.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qwen_triton.responses import Array


QUESTION = Question(
    "Say",
    "prompt",
    None,
    stream=True,
    sampling={},
    echo=False,
    wants=Wants(num_output_tokens=True),
)


class Broken(Exception):
    pass


class Recorder:
    """A sender that remembers, and that can be held up, broken or cancelled."""

    requested = frozenset({"response", "num_output_tokens"})

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, bool]] = []
        self.refused: list[Refusal] = []
        self.news = threading.Condition()
        self.done = threading.Event()
        self.sending = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.cancelled = False
        self.broken = False

    def send(self, arrays: Mapping[str, Array], *, final: bool) -> None:
        self.sending.set()
        assert self.go_on.wait(10)
        if self.broken:
            raise Broken
        tokens = int(arrays["num_output_tokens"][0])
        with self.news:
            self.sent.append((arrays["response"][0].decode(), tokens, final))
            self.news.notify_all()
        if final:
            self.done.set()

    def has_sent(self, count: int) -> bool:
        """Whether so many responses have gone out, within a generous time."""
        with self.news:
            return self.news.wait_for(lambda: len(self.sent) >= count, 10)

    def refuse(self, refusal: Refusal) -> None:
        self.refused.append(refusal)
        self.done.set()

    def is_cancelled(self) -> bool:
        return self.cancelled


@pytest.fixture
def errors() -> list[str]:
    return []


@pytest.fixture
def left() -> threading.Event:
    return threading.Event()


@pytest.fixture
def refused() -> list[Refusal]:
    return []


@pytest.fixture
def outbox(errors: list[str], left: threading.Event, refused: list[Refusal]) -> Iterator[Outbox]:
    made = Outbox(Broken, errors.append, on_left=left.set, on_refused=refused.append)
    made.start()
    yield made
    made.close()


@pytest.fixture
def sender() -> Recorder:
    return Recorder()


@pytest.fixture
def stream(sender: Recorder, outbox: Outbox) -> Stream:
    made = Stream(sender)
    made.question = QUESTION
    outbox.open(made)
    return made


def chunk(text: str, *, final: bool = False) -> Chunk:
    return Chunk([Part(text=text, tokens=1)], final=final)


def test_what_comes_while_a_response_is_under_way_is_one_response(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    sender.go_on.clear()
    outbox.put_all([(stream, chunk("a"))])
    assert sender.sending.wait(10)
    for text in "bcd":
        outbox.put_all([(stream, chunk(text))])
    outbox.put_all([(stream, chunk("e", final=True))])
    sender.go_on.set()
    assert sender.done.wait(10)
    assert sender.sent == [("a", 1, False), ("bcde", 4, True)]


def test_what_says_nothing_waits_for_what_does(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    outbox.put_all([(stream, chunk(""))])
    outbox.put_all([(stream, chunk(""))])
    outbox.put_all([(stream, chunk("a"))])
    outbox.put_all([(stream, chunk(""))])
    outbox.put_all([(stream, chunk("", final=True))])
    assert sender.done.wait(10)
    sent = [(text, tokens) for text, tokens, _ in sender.sent]
    assert sent in ([("a", 3), ("", 2)], [("a", 5)])


def test_an_error_follows_what_was_said_before_it(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    outbox.put_all([(stream, chunk("a"))])
    outbox.put(stream, refusal=Unavailable("gone"))
    assert sender.done.wait(10)
    assert [text for text, _, _ in sender.sent] == ["a"]
    assert [str(refusal) for refusal in sender.refused] == ["gone"]


def test_nothing_follows_the_last_response(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    outbox.put_all([(stream, chunk("a", final=True))])
    outbox.put(stream, refusal=Unavailable("gone"))
    assert sender.done.wait(10)
    outbox.put_all([(stream, chunk("b"))])
    other = Recorder()
    outbox.put(Stream(other), refusal=BadRequest("prompt", "empty"))
    assert other.done.wait(10)
    assert sender.sent == [("a", 1, True)]
    assert sender.refused == []
    assert stream not in outbox.open_streams


def test_a_request_that_got_an_error_is_counted_once(
    outbox: Outbox, stream: Stream, sender: Recorder, refused: list[Refusal]
) -> None:
    because = Unavailable("gone")
    outbox.put(stream, refusal=because)
    assert sender.done.wait(10)
    outbox.put(stream, refusal=BadRequest("prompt", "too late"))
    answered, last = Stream(Recorder()), Recorder()
    answered.question = stream.question
    outbox.open(answered)
    outbox.put_all([(answered, chunk("a", final=True))])
    outbox.put(Stream(last), refusal=BadRequest("prompt", "never opened"))
    assert last.done.wait(10)
    assert refused == [because]


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
    outbox.put_all([(stream, chunk("a"))])
    assert sender.sending.wait(10)
    outbox.put_all([(stream, chunk("b", final=True))])
    sender.go_on.set()
    assert sender.done.wait(10)
    assert [text for text, _, _ in sender.sent] == ["Say a", "b"]


def test_a_client_who_left_is_noticed_while_nothing_is_sent(
    stream: Stream, sender: Recorder, left: threading.Event
) -> None:
    stopped = threading.Event()
    stream.cancel = stopped.set
    sender.cancelled = True
    assert stopped.wait(10)
    assert left.wait(10)
    assert str(stream.stopped_because) == "cancelled by the client"


def test_nobody_is_asked_for_any_more_when_checks_have_stopped(
    outbox: Outbox, stream: Stream, sender: Recorder
) -> None:
    asked = threading.Event()
    sender.is_cancelled = lambda: bool(asked.set())  # type: ignore[method-assign]
    assert asked.wait(10)
    outbox.stop_checks()
    outbox.put_all([(stream, chunk("a"))])
    assert sender.sending.wait(10)
    asked.clear()
    assert not asked.wait(3 * CANCEL_CHECK_SECONDS)


def test_a_response_that_cannot_be_sent_stops_that_stream_alone(
    outbox: Outbox, stream: Stream, sender: Recorder, errors: list[str]
) -> None:
    stopped = threading.Event()
    stream.cancel = stopped.set
    sender.broken = True
    outbox.put_all([(stream, chunk("a"))])
    assert stopped.wait(10)
    other = Recorder()
    outbox.put(Stream(other), refusal=Unavailable("x"))
    assert other.done.wait(10)
    assert len(errors) == 1


def test_the_first_cause_of_a_stop_is_the_one_that_counts(stream: Stream) -> None:
    stream.stop(Unavailable("first"))
    stream.stop(Unavailable("second"))
    assert str(stream.stopped_because) == "first"


def test_many_streams_are_sent_in_turn_each_with_all_that_it_has_got(outbox: Outbox) -> None:
    senders = [Recorder() for _ in range(200)]
    streams = [Stream(sender) for sender in senders]
    for each in streams:
        each.question = QUESTION
        outbox.open(each)
    deadline = time.monotonic() + 30
    pieces = 0
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        for each in streams:
            outbox.put_all([(each, chunk("a"))])
        pieces += 1
        time.sleep(0.002)
    for each in streams:
        outbox.put_all([(each, chunk("z", final=True))])
    assert all(sender.done.wait(max(0.0, deadline - time.monotonic())) for sender in senders)
    for sender in senders:
        assert "".join(text for text, _, _ in sender.sent) == "a" * pieces + "z"
    elapsed = time.monotonic() - began
    most = max(len(sender.sent) for sender in senders)
    assert 2 < most < elapsed / LONGEST_PACE_SECONDS + 3


def test_one_stream_waits_for_nothing(outbox: Outbox, stream: Stream, sender: Recorder) -> None:
    for number, text in enumerate("abc", start=1):
        outbox.put_all([(stream, chunk(text))])
        # Nothing else is put before: what waited for more would wait for ever.
        assert sender.has_sent(number)
    outbox.put_all([(stream, chunk("d", final=True))])
    assert sender.done.wait(10)
    assert [text for text, _, _ in sender.sent] == ["a", "b", "c", "d"]


def test_an_answer_that_cannot_be_made_is_refused_and_silences_no_other(
    outbox: Outbox, stream: Stream, sender: Recorder, errors: list[str]
) -> None:
    odd = Recorder()
    defective = Stream(odd)
    defective.question = QUESTION
    outbox.open(defective)
    outbox.put_all([(defective, Chunk([Part(text=7, tokens=1)]))])  # type: ignore[arg-type]
    assert odd.done.wait(10)
    assert "could not be made" in str(odd.refused[0])
    outbox.put_all([(stream, chunk("a", final=True))])
    assert sender.done.wait(10)
    assert defective not in outbox.open_streams
    assert "could not be made" in errors[0]
    assert not outbox.has_died


def test_an_outbox_whose_thread_has_ended_says_so() -> None:
    made = Outbox(Broken, print, on_left=print, on_refused=print)
    assert not made.has_died
    made.start()
    assert not made.has_died
    made.close()
    assert made.has_died
