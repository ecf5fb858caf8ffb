"""Puts the parts together: what starts in which order, and what ends in which."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from qwen_triton import failures, wire
from qwen_triton.answering import Answering
from qwen_triton.console import Console
from qwen_triton.engine import Engine
from qwen_triton.failures import Failure, Reason
from qwen_triton.first_instance import SHARED_SERIES, FirstInstance
from qwen_triton.guard import Guard
from qwen_triton.liveness import STUCK_AFTER_SECONDS, Liveness, Phase
from qwen_triton.openai_door import DoorClosed
from qwen_triton.outbox import Outbox
from qwen_triton.processes import is_process_alive
from qwen_triton.refusals import BadRequest, Cancelled, Refusal, Unavailable
from qwen_triton.refused import Refused
from qwen_triton.requests import read_question
from qwen_triton.roster import EngineNotShared, Roster, folder_of_server
from qwen_triton.settings import BadAdapter
from qwen_triton.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from qwen_triton.requests import Question
    from qwen_triton.roster import Signature
    from qwen_triton.settings import Settings

# Between /health saying so and the server's end: a scrape and a probe may still see it.
_LAST_WORDS_SECONDS = 2.0
_FLUSH_SECONDS = 2.0
_ENGINE_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_SERVER_END_SECONDS = 15.0
# Word for word what NVIDIA's backend logs: who looks for it there finds it here.
_CANCELLING = "[vllm] Cancelling the request"
_CANCELLED = "[vllm] Successfully cancelled the request"


class LoadFailed(RuntimeError):
    """The model could not be loaded; the message opens with the reason."""


class Serving:
    """One instance of a model being served, from the first probe to the last response."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.liveness = Liveness(settings.engine_silence_seconds)
        self._draining = False
        self._console = Console()
        self._refused = Refused()
        self._outbox = Outbox(
            wire.SendFailed,
            wire.log_error,
            on_left=partial(wire.log_verbose, _CANCELLING),
            on_refused=self._has_refused,
        )
        self._roster = _roster(settings)
        self._first = FirstInstance(settings, self.liveness) if settings.instance == 0 else None
        self._engine = Engine(
            settings,
            self.liveness,
            self._roster,
            on_beat=self._beat,
            on_death=self._engine_died,
        )
        self._answering: Answering | None = None
        self._guard = Guard()

    def start(self) -> None:
        """Load the engine and serve.

        Raises:
            LoadFailed: with the classified reason, which is left for kubelet, too.
        """
        self._console.attach()
        error = self._engine.start() or self._open_door()
        self._console.detach()
        if error is not None:
            self._loading_failed(error)
        self._refused.open()
        self._answering = Answering(self.settings, self._engine, self._outbox)
        self._outbox.start()
        # Instances look after each other (_beat).
        if self._roster is None:
            self._guard.start(wire.log_error)
        if self._first is None:
            self.liveness.enter(Phase.OPENING)
        else:
            self._first.open(
                self._engine, self._are_all_here, on_lost=_write, on_closing=self._take_no_more
            )

    def _open_door(self) -> DoorClosed | None:
        """Open the OpenAI endpoint; an engine whose clients would miss it ends again."""
        closed = None if self._first is None else self._first.open_door(self._engine)
        if closed is not None:
            self._engine.stop(_ENGINE_STOP_SECONDS)
        return closed

    def _loading_failed(self, error: BaseException) -> NoReturn:
        if isinstance(error, EngineNotShared):
            raise LoadFailed(str(error)) from error
        failure = self._failure(error)
        self.liveness.fail(f"{failure.reason}: {failure.message}")
        report(failure)
        if self._roster is not None:
            self._roster.fail()
        raise LoadFailed(f"{failure.reason}: {failure.message}") from error

    def _failure(self, error: BaseException) -> Failure:
        if isinstance(error, BadAdapter):
            return Failure(Reason.BAD_ENGINE_ARGUMENT, str(error))
        if isinstance(error, DoorClosed):
            return error.failure()
        return failures.classify(failures.describe(error), self._console.lines())

    def _are_all_here(self) -> bool:
        return self._roster is None or self._roster.are_all_here()

    def accept(self, requests: Sequence[object]) -> None:
        """Take requests; returns before any is answered."""
        self._taken_over()
        for request in requests:
            stream = Stream(wire.ResponseSender(request))
            self._outbox.open(stream)
            try:
                if not self.liveness.verdict().alive:
                    raise Unavailable(self._why_unavailable())
                question = read_question(wire.RequestTensors(request))
            except (BadRequest, Unavailable) as refusal:
                self._outbox.put(stream, refusal=refusal)
                continue
            self._begin(stream, question)

    def stop(self) -> None:
        """Let running streams finish, within bounds, then end everything.

        Only responses are sent from here on: a call to a server that is about to go could wait for
        its answer for ever, and with the interpreter's lock.
        """
        closing: list[Future[None]] = []
        self._guard.stop()
        if self._first is not None:
            self._first.stop_reporting()
        self._outbox.stop_checks()
        self._take_no_more()
        deadline = time.monotonic() + self.settings.drain_seconds
        if self._first is not None:
            closing.append(self._first.close_door(self._engine))
        self._wait_for_streams(self.settings.drain_seconds)
        self._stop_streams("the server is shutting down")
        self._wait_for_streams(_FLUSH_SECONDS)
        wait(closing, timeout=max(_FLUSH_SECONDS, deadline - time.monotonic()))
        self._outbox.close()
        self._leave(deadline)
        self._engine.stop(_ENGINE_STOP_SECONDS)
        if self._first is not None:
            self._first.close()

    def _take_no_more(self) -> None:
        """The server ends: what is running goes on, and nothing new is taken."""
        self._draining = True
        self.liveness.enter(Phase.DRAINING)
        if self._first is not None and self._roster is not None:
            self._roster.drain()

    def _stop_streams(self, why: str) -> None:
        for stream in self._outbox.open_streams:
            stream.stop(Unavailable(why))

    def _leave(self, deadline: float) -> None:
        """The engine ends with the first instance: it waits for the others' streams."""
        if self._roster is None:
            return
        while self._first is not None and self._roster.have_others_streams():
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
        self._roster.leave()

    def _taken_over(self) -> None:
        if self.liveness.pulse.phase is Phase.OPENING:
            self.liveness.enter(Phase.SERVING)

    def _begin(self, stream: Stream, question: Question) -> None:
        loop, answering = self._engine.loop, self._answering
        if loop is None or answering is None:
            raise RuntimeError("requests before the model was loaded")
        loop.call_soon_threadsafe(partial(answering.begin, stream, question))

    def _why_unavailable(self) -> str:
        verdict = self.liveness.verdict()
        return f"the model is {verdict.status}: {verdict.reason}"

    def _has_refused(self, refusal: Refusal) -> None:
        self._refused.count(refusal)
        # No calls to a server that is about to go: stop() says why.
        if isinstance(refusal, Cancelled) and not self._draining:
            wire.log_verbose(_CANCELLED)

    def _wait_for_streams(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._outbox.open_streams and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _beat(self) -> None:
        """Called on the engine's loop, twice a second while the engine lives."""
        if self._outbox.has_died:
            # Answers reach nobody: without a beat the model is soon called stuck.
            return
        if self._roster is None:
            self.liveness.beat()
            return
        self._roster.sign(len(self._outbox.open_streams))
        if self._roster.is_draining and not self._draining:
            self._draining = True
            self.liveness.enter(Phase.DRAINING)
        others = self._roster.others()
        for other in others:
            if not self._draining and not is_process_alive(other.pid):
                words = f"instance {other.index} of the model has ended (pid {other.pid})"
                self._end(Failure(Reason.STUB_CRASHED, words))
        # A model is as alive as the stillest of its instances.
        if not any(_is_still(each) for each in others):
            self.liveness.beat()

    def _engine_died(self) -> None:
        """Called on the engine's loop, once, when the engine is beyond recovery."""
        if self._draining:
            self._stop_streams("the engine has died; the server is shutting down")
        else:
            self._end(failures.classify_death(self._console.lines()))

    def _end(self, failure: Failure) -> None:
        """Nothing can be served any more; the first failure stands."""
        if self.liveness.fail(f"{failure.reason}: {failure.message}"):
            self._stop_streams("the engine has died; the server is about to restart")
            threading.Thread(target=self._die, args=(failure,), name="death", daemon=True).start()

    def _die(self, failure: Failure) -> None:
        """A server without an engine must end, so that kubelet starts another."""
        report(failure)
        if self._first is not None:
            self._first.report()
        time.sleep(_LAST_WORDS_SECONDS)
        parent = os.getppid()
        name = Path(f"/proc/{parent}/comm").read_text(encoding="utf-8").strip()
        if name != "tritonserver" or self._draining:
            return
        os.kill(parent, signal.SIGTERM)
        # With a dead instance the server waits for its answer as long as it may.
        deadline = time.monotonic() + _SERVER_END_SECONDS
        while time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        os.kill(parent, signal.SIGKILL)


def _is_still(instance: Signature) -> bool:
    silent = time.monotonic() - instance.signed_at
    return instance.is_loaded and silent > STUCK_AFTER_SECONDS


def report(failure: Failure) -> None:
    """Leave a failure where people and kubelet look for it."""
    failures.write_termination_message(failure, failures.TERMINATION_LOG)
    wire.log_error(f"{failure.reason}: {failure.message}")


def _write(failure: Failure) -> None:
    """For kubelet alone: the server that lost this process answers no call."""
    failures.write_termination_message(failure, failures.TERMINATION_LOG)


def _roster(settings: Settings) -> Roster | None:
    """Where the instances meet; before vllm, which looks where series are kept when imported."""
    if settings.instances == 1:
        return None
    folder = folder_of_server(settings.model_name)
    series = folder / "series"
    series.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[SHARED_SERIES] = str(series)
    return Roster(settings.instance, settings.instances, folder)
