"""What a server has once, however many instances of the model it runs: its other ports.

/health and the OpenAI endpoint on :9000, the series on :8002, and the wait for Triton's own.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING

from qwen_triton import failures, wire
from qwen_triton.failures import Failure, Reason
from qwen_triton.health import HealthServer, listen
from qwen_triton.liveness import Phase
from qwen_triton.metrics import DOOR_UP, Reporter
from qwen_triton.openai_door import DoorClosed, OpenAIDoor
from qwen_triton.takeover import NOT_TAKEN, TAKEOVER_SECONDS, Ports, end_server

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from qwen_triton.engine import Engine
    from qwen_triton.liveness import Liveness
    from qwen_triton.metrics import Family
    from qwen_triton.settings import Settings

OnLost = Callable[[Failure], object]
OnClosing = Callable[[], object]

# Where prometheus_client keeps the series of several processes; vllm heeds it, too.
SHARED_SERIES = "PROMETHEUS_MULTIPROC_DIR"
_LOOK_SECONDS = 0.2
_LOOK_AGAIN_SECONDS = 1.0


class FirstInstance:
    """What the first instance of a model does besides answering."""

    def __init__(self, settings: Settings, liveness: Liveness) -> None:
        self._liveness = liveness
        labels = {
            "model": settings.model_name,
            "version": settings.model_version,
            "model_name": settings.served_model_name,
        }
        self._series = wire.Series(labels)
        self._reporter: Reporter | None = None
        self._on_closing: OnClosing = lambda: None
        # Before the engine, so that probes are answered while it loads.
        facts = {"model": settings.model_name, "config_hash": settings.config_hash}
        self._health = HealthServer(listen(settings.health_port), liveness, facts)
        self._health.resume()
        self._door = OpenAIDoor(settings, self._health)
        self._has_door = False

    def open_door(self, engine: Engine) -> DoorClosed | None:
        """Open the OpenAI endpoint; return what keeps it shut where clients have been promised it.

        Where they have not, Triton's own ports serve the model all the same; a series says so.
        """
        error = engine.submit(self._door.open(engine.llm, engine.tokenizer)).exception()
        if error is None:
            self._has_door = True
            return None
        words = failures.describe(error)
        if self._door.is_promised:
            return DoorClosed(words)
        wire.log_error(f"no OpenAI endpoint with this vLLM: {words}")
        return None

    def open(
        self,
        engine: Engine,
        are_all_here: Callable[[], bool],
        *,
        on_lost: OnLost,
        on_closing: OnClosing,
    ) -> None:
        """Begin to report, and watch the server's ports.

        Args:
            engine: the engine, loaded.
            are_all_here: whether every instance of the model has been loaded.
            on_lost: called when the server never takes the loaded model.
            on_closing: called when the server takes no more requests.
        """
        self._reporter = Reporter(
            self._liveness, self._series, vllm_families, engine.dialect.VERSION
        )
        self._series.gauge(
            DOOR_UP, "1 where :9000 has vLLM's OpenAI endpoint, else 0", float(self._has_door)
        )
        self._liveness.enter(Phase.OPENING)
        self._reporter.report()
        self._reporter.start()
        self._on_closing = on_closing
        Thread(
            target=self._watch_ports, args=(are_all_here, on_lost), name="ports", daemon=True
        ).start()

    def report(self) -> None:
        """Bring the series up to date now."""
        if self._reporter is not None:
            self._reporter.report()

    def stop_reporting(self) -> None:
        """Call the server no more for the series."""
        if self._reporter is not None:
            self._reporter.stop()

    def close_door(self, engine: Engine) -> Future[None]:
        """Let the OpenAI endpoint finish its requests and take no more."""
        return engine.submit(self._door.close())

    def close(self) -> None:
        """Free the port."""
        self._health.close()

    def _watch_ports(self, are_all_here: Callable[[], bool], on_lost: OnLost) -> None:
        """Alive is a model that can be reached: from the opening of the server's ports on."""
        server, deadline = os.getppid(), time.monotonic() + TAKEOVER_SECONDS
        ports = Ports(server)
        while not ports.are_open():
            if self._liveness.pulse.phase is not Phase.OPENING:
                return
            if not are_all_here():
                deadline = time.monotonic() + TAKEOVER_SECONDS
            if time.monotonic() > deadline:
                on_lost(Failure(Reason.MODEL_LOAD_FAILED, NOT_TAKEN))
                end_server(server, NOT_TAKEN)
            time.sleep(_LOOK_SECONDS)
        if self._liveness.pulse.phase is Phase.OPENING:
            self._liveness.enter(Phase.SERVING)
        while self._liveness.pulse.phase is Phase.SERVING:
            if ports.has_closed_one():
                self._on_closing()
                return
            time.sleep(_LOOK_AGAIN_SECONDS)


def vllm_families() -> Iterable[Family]:
    """VLLM's own series, summed over all instances as vllm defines it for each."""
    # Comes with vllm, whose engine registers its series in this process.
    client = importlib.import_module("prometheus_client")
    registry = client.REGISTRY
    if folder := os.environ.get(SHARED_SERIES):
        registry = client.CollectorRegistry()
        collector = importlib.import_module("prometheus_client.multiprocess")
        collector.MultiProcessCollector(registry, path=folder)
    families: Iterable[Family] = registry.collect()
    return families
