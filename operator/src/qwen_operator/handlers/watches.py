"""The resources' watch through kopf's on.event: no finalizer, no annotation, no index, no daemon.

They run in a thread with an event loop of their own: when kopf ends it cancels every task of its
loop, and workers must outlive it. A supervisor starts it again whatever ended it.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import kopf
import uvloop

from qwen_operator.cluster.protocol import QWEN

log = logging.getLogger(__name__)

Deliver = Callable[[str | None, dict[str, Any]], None]
"""Called with the event's type (None for what the first listing shows) and the object."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_STEADY_SECONDS = 60.0
_CHUNK = 100
# kopf has a task for each object that was heard of, which waits for more and holds what it heard:
# of a thousand that a listing shows, 20 MB for the default's five seconds.
_IDLE_SECONDS = 0.1
# A watch that is cut off loses nothing; told to stop while it starts, kopf retries for long.
_JOIN_SECONDS = 2.0


class _NoDiffs(kopf.DiffBaseStorage):
    """Nothing of an object is compared with its last state: kopf would copy all of it each time."""

    def build(self, **_: object) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: object) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: object) -> None:
        """Write nothing."""


def _registry(deliver: Deliver) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    # Asynchronous, though it awaits nothing: kopf runs others in threads, each with a switch to
    # wait for, and a thousand events a second then wait for seconds.
    async def tell(event: Any, **_: object) -> None:  # noqa: ANN401 - kopf's raw event
        deliver(event["type"], dict(event["object"]))

    def login(**given: Any) -> Any:  # noqa: ANN401 - kopf's credentials
        return kopf.login_with_service_account(**given) or kopf.login_with_kubeconfig(**given)

    kopf.on.login(registry=registry)(login)
    kopf.on.event(QWEN.group, QWEN.version, QWEN.plural, registry=registry)(tell)
    return registry


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # The chart installs the definition before the operator, and namespaces are named exactly.
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.watching.chunk_size = _CHUNK
    settings.queueing.idle_timeout = _IDLE_SECONDS
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.enforce_retry_after = True
    return settings


class Watches:
    """kopf in a supervised thread."""

    def __init__(
        self, namespaces: tuple[str, ...], deliver: Deliver, on_restart: Callable[[], None]
    ) -> None:
        self._namespaces = namespaces
        self._deliver = deliver
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="watches", daemon=True)
        self._on_restart = on_restart

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the watches; waits a few seconds at most."""
        self._stop.set()
        self._thread.join(_JOIN_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether the supervisor runs."""
        return self._thread.is_alive()

    async def _watch(self) -> None:
        await kopf.operator(
            registry=_registry(self._deliver),
            settings=_settings(),
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            standalone=True,
            stop_flag=self._stop,
        )

    def _supervise(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                started = runner.get_loop().time()
                try:
                    runner.run(self._watch())
                except Exception:
                    log.warning("the watches ended, starting them again", exc_info=True)
                steady = runner.get_loop().time() - started > _STEADY_SECONDS
            if self._stop.is_set():
                return
            self._on_restart()
            pause = _FIRST_PAUSE if steady else min(pause * 2, _LONGEST_PAUSE)
            self._stop.wait(pause)
