"""The API server goes away: for seconds, for longer than kopf waits, and with our credentials.

The three last long and are of little work: they go on side by side, and beside other tests
(`conftest.outages`); `test_z_outages.py` asks how they ended.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.integration.account import account
from tests.integration.api import DEPLOYMENTS, QWENS, Api, Problem, eventually, resource
from tests.integration.control_plane import ControlPlane, control_plane
from tests.integration.definition import apply_definition
from tests.integration.operating import operating
from tests.integration.process import OperatorProcess
from tests.integration.proxy import proxying

SHORT_SECONDS = 10.0
LONG_SECONDS = 65.0
"""kopf gives up after about 54 s of errors."""

REFUSED_SECONDS = 30.0
CATCH_UP_SECONDS = 30.0


def _made(api: Api, namespace: str, *names: str) -> None:
    for name in names:
        api.create(QWENS, namespace, resource(name))
    for name in names:
        eventually("three children", partial(_has_children, api, namespace, name))


def _has_children(api: Api, namespace: str, name: str) -> bool:
    return len(api.children(namespace, name)) == 3


def _uids(api: Api, namespace: str, *names: str) -> set[str]:
    return {
        each["metadata"]["uid"] for name in names for each in api.children(namespace, name).values()
    }


def _caught_up(api: Api, namespace: str, operator: OperatorProcess, before: set[str]) -> float:
    """Seconds until what happened meanwhile is done; nothing may have been lost."""
    back = time.monotonic()
    _until_it_takes(lambda: api.create(QWENS, namespace, resource("after")))
    _until_it_takes(lambda: _scale(api, namespace, "kept"))
    eventually("what is new", partial(_has_children, api, namespace, "after"))
    eventually("what changed", partial(_is_scaled, api, namespace, "kept"))
    took = time.monotonic() - back
    assert operator.process.poll() is None, operator.log
    assert before <= _uids(api, namespace, "kept", "other"), "a child was deleted or made anew"
    assert operator.page("healthz") == (200, "ok\n")
    assert "unexpectedly" not in operator.log
    return took


def _until_it_takes(attempt: Callable[[], object]) -> None:
    """A server that has just come back refuses a request now and then."""

    def taken() -> bool:
        try:
            attempt()
        except (OSError, Problem):
            return False
        return True

    eventually("the API server works", taken)


def _scale(api: Api, namespace: str, name: str) -> None:
    api.merge(QWENS, namespace, name, {"spec": {"replicas": 3}})


def _is_scaled(api: Api, namespace: str, name: str) -> bool:
    return bool((api.one(DEPLOYMENTS, namespace, name) or {})["spec"]["replicas"] == 3)


@dataclass(frozen=True, slots=True)
class Scene:
    """What outages share: the server, a way to it, the operators' kubeconfig, a common start."""

    plane: ControlPlane
    api: Api
    login: Path
    together: threading.Barrier


def _short(scene: Scene, folder: Path) -> float:
    """The API server is killed and started again after seconds."""
    with operating(scene.login, "short", folder) as operator:
        _made(scene.api, "short", "kept", "other")
        before = _uids(scene.api, "short", "kept", "other")
        scene.together.wait()
        scene.plane.kill("kube-apiserver")
        time.sleep(SHORT_SECONDS)  # how long it is away is the case
        scene.plane.start_api_server()
        return _caught_up(scene.api, "short", operator, before)


def _long(scene: Scene, folder: Path) -> float:
    """Nobody answers for longer than kopf waits."""
    with (
        proxying(scene.api, scene.login, folder) as (config, faults, proxy),
        operating(config, "long", folder) as operator,
    ):
        _made(scene.api, "long", "kept", "other")
        before = _uids(scene.api, "long", "kept", "other")
        scene.together.wait()
        faults.away = True
        proxy.cut()
        time.sleep(LONG_SECONDS)  # how long it is away is the case
        faults.away = False
        return _caught_up(scene.api, "long", operator, before)


def _refused(scene: Scene, folder: Path) -> float:
    """The API server does not know us any more, for a while."""
    with (
        proxying(scene.api, scene.login, folder) as (config, faults, proxy),
        operating(config, "refused", folder) as operator,
    ):
        _made(scene.api, "refused", "kept", "other")
        before = _uids(scene.api, "refused", "kept", "other")
        scene.together.wait()
        faults.refuse = lambda _asked: (401, {})
        proxy.cut()
        time.sleep(REFUSED_SECONDS)  # how long it lasts is the case
        faults.refuse = lambda _asked: None
        return _caught_up(scene.api, "refused", operator, before)


NAMES = ("short", "long", "refused")


@contextmanager
def under_way(folder: Path) -> Iterator[dict[str, Future[float]]]:
    """All three, on an API server of their own; each tells how long it took to catch up."""
    together = threading.Barrier(3, timeout=120)
    with control_plane(folder) as plane:
        api = Api(plane.kubeconfig)
        apply_definition(api)
        for name in NAMES:
            api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
            (folder / name).mkdir()
        with account(api, plane.kubeconfig, folder) as login, ThreadPoolExecutor(3) as pool:
            scene = Scene(plane, api, login, together)
            yield {
                name: pool.submit(each, scene, folder / name)
                for name, each in zip(NAMES, (_short, _long, _refused), strict=True)
            }
