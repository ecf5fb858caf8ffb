"""Puts the parts together: what starts in which order, and what ends in which."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_triton import failures, wire
from qwen_triton.answering import Answering
from qwen_triton.console import Console
from qwen_triton.engine import Engine
from qwen_triton.failures import Failure, Reason
from qwen_triton.health import HealthServer, listen
from qwen_triton.liveness import Liveness, Phase
from qwen_triton.metrics import Reporter
from qwen_triton.openai_door import OpenAIDoor
from qwen_triton.refusals import BadRequest, Unavailable
from qwen_triton.requests import read_question
from qwen_triton.streams import Outbox, Stream
from qwen_triton.takeover import NOT_TAKEN, TAKEOVER_SECONDS, end_server, is_listening

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qwen_triton.metrics import Family
    from qwen_triton.requests import Question
    from qwen_triton.settings import Settings

TERMINATION_LOG = Path("/dev/termination-log")
# Between /health saying so and the server's end: a scrape and a probe may still see it.
_LAST_WORDS_SECONDS = 2.0
_FLUSH_SECONDS = 2.0
_ENGINE_STOP_SECONDS = 10.0


class LoadFailed(RuntimeError):
    """The model could not be loaded; the message opens with the reason."""


class Serving:
    """One model being served, from the first probe to the last response."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.liveness = Liveness()
        self._draining = False
        self._console = Console()
        self._outbox = Outbox(wire.SendFailed, wire.log_error)
        self._engine = Engine(settings, self.liveness, self._engine_died)
        self._answering: Answering | None = None
        labels = {
            "model": settings.model_name,
            "version": settings.model_version,
            "model_name": settings.served_model_name,
        }
        self._series = wire.Series(labels)
        self._reporter: Reporter | None = None
        # Before the engine, so that probes are answered while it loads.
        facts = {"model": settings.model_name, "config_hash": settings.config_hash}
        self._health = HealthServer(listen(settings.health_port), self.liveness, facts)
        self._health.resume()
        self._door = OpenAIDoor(settings, self._health)

    def start(self) -> None:
        """Load the engine and serve.

        Raises:
            LoadFailed: with the classified reason, which is left for kubelet, too.
        """
        self._console.attach()
        error = self._engine.start()
        self._console.detach()
        if error is not None:
            failure = failures.classify(failures.describe(error), self._console.lines())
            self.liveness.fail(f"{failure.reason}: {failure.message}")
            report(failure)
            raise LoadFailed(f"{failure.reason}: {failure.message}") from error
        self._answering = Answering(self.settings, self._engine, self._outbox)
        self._outbox.start()
        self._open_door()
        self._reporter = Reporter(
            self.liveness, self._series, _vllm_families, self._engine.dialect.VERSION
        )
        self.liveness.enter(Phase.OPENING)
        self._reporter.report()
        self._reporter.start()
        threading.Thread(target=self._await_takeover, name="takeover", daemon=True).start()

    def _open_door(self) -> None:
        """The OpenAI door is a second one: without it the model is served all the same."""
        opening = self._engine.submit(self._door.open(self._engine.llm, self._engine.tokenizer))
        if (error := opening.exception()) is not None:
            wire.log_error(f"no OpenAI endpoint with this vLLM: {failures.describe(error)}")

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
        self._draining = True
        if self._reporter is not None:
            self._reporter.stop()
        self._outbox.stop_checks()
        self.liveness.enter(Phase.DRAINING)
        deadline = time.monotonic() + self.settings.drain_seconds
        closing = self._engine.submit(self._door.close())
        self._wait_for_streams(self.settings.drain_seconds)
        for stream in self._outbox.open_streams:
            stream.stop(Unavailable("the server is shutting down"))
        self._wait_for_streams(_FLUSH_SECONDS)
        wait([closing], timeout=max(_FLUSH_SECONDS, deadline - time.monotonic()))
        self._outbox.close()
        self._engine.stop(_ENGINE_STOP_SECONDS)
        self._health.close()

    def _taken_over(self) -> None:
        if self.liveness.pulse.phase is Phase.OPENING:
            self.liveness.enter(Phase.SERVING)

    def _await_takeover(self) -> None:
        """Alive is a model that can be reached: wait for the server's ports."""
        server, deadline = os.getppid(), time.monotonic() + TAKEOVER_SECONDS
        while not is_listening(server):
            if self.liveness.pulse.phase is not Phase.OPENING:
                return
            if time.monotonic() > deadline:
                failure = Failure(Reason.MODEL_LOAD_FAILED, NOT_TAKEN)
                failures.write_termination_message(failure, TERMINATION_LOG)
                end_server(server, NOT_TAKEN)
            time.sleep(0.2)
        self._taken_over()

    def _begin(self, stream: Stream, question: Question) -> None:
        loop, answering = self._engine.loop, self._answering
        if loop is None or answering is None:
            raise RuntimeError("requests before the model was loaded")
        loop.call_soon_threadsafe(partial(answering.begin, stream, question))

    def _why_unavailable(self) -> str:
        verdict = self.liveness.verdict()
        return f"the model is {verdict.status}: {verdict.reason}"

    def _wait_for_streams(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._outbox.open_streams and time.monotonic() < deadline:
            time.sleep(0.05)

    def _engine_died(self) -> None:
        """Called on the engine's loop, once, when the engine is beyond recovery."""
        if self._draining:
            return
        failure = failures.classify_death(self._console.lines())
        if self.liveness.fail(f"{failure.reason}: {failure.message}"):
            for stream in self._outbox.open_streams:
                stream.stop(Unavailable("the engine has died; the server is about to restart"))
            threading.Thread(target=self._die, args=(failure,), name="death").start()

    def _die(self, failure: Failure) -> None:
        """A server without an engine must end, so that kubelet starts another."""
        report(failure)
        if self._reporter is not None:
            self._reporter.report()
        time.sleep(_LAST_WORDS_SECONDS)
        parent = os.getppid()
        name = Path(f"/proc/{parent}/comm").read_text(encoding="utf-8").strip()
        if name == "tritonserver" and not self._draining:
            os.kill(parent, signal.SIGTERM)


def report(failure: Failure) -> None:
    """Leave a failure where people and kubelet look for it."""
    failures.write_termination_message(failure, TERMINATION_LOG)
    wire.log_error(f"{failure.reason}: {failure.message}")


def _vllm_families() -> Iterable[Family]:
    # Comes with vllm, whose engine registers its series in this process.
    registry = importlib.import_module("prometheus_client").REGISTRY
    families: Iterable[Family] = registry.collect()
    return families
