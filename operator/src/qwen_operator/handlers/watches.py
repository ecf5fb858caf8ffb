"""Watches through kopf's on.event: no finalizer, no annotation, no index, no daemon.

They run in a thread with an event loop of their own: when kopf ends it cancels every task of its
loop, and workers must outlive it. A supervisor starts it again whatever ended it.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import kopf

from qwen_operator.cluster.protocol import QWEN, WATCHED
from qwen_operator.naming import MANAGED_BY, MANAGED_BY_LABEL, MANAGED_SELECTOR

log = logging.getLogger(__name__)

Deliver = Callable[[str | None, dict[str, Any]], None]
"""Called with the event's type (None for what the first listing shows) and the object."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_STEADY_SECONDS = 60.0
# Each ConfigMap carries the backend's source, 100 kB: a list in one piece would be the largest
# thing that the operator ever holds.
_CHUNK = 100
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
    for kind in WATCHED:
        kopf.on.event(
            kind.group,
            kind.version,
            kind.plural,
            labels={MANAGED_BY_LABEL: MANAGED_BY},
            registry=registry,
        )(tell)
    return registry


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # The chart installs the definition before the operator, and namespaces are named exactly.
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = _NoDiffs()
    # Filtered by the API server: what others run in the cluster never comes here.
    for kind in WATCHED:
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = MANAGED_SELECTOR
    settings.watching.chunk_size = _CHUNK
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
            with asyncio.Runner() as runner:
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
