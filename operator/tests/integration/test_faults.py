"""Between the operator and the API server things go wrong; the end is the same as without."""

import itertools
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api import (
    CHILDREN,
    DEPLOYMENTS,
    QWENS,
    SERVICES,
    Api,
    Json,
    Problem,
    eventually,
    resource,
)
from tests.integration.process import OperatorProcess
from tests.integration.proxy import Faults, Request, proxied

SWEEP = {"SWEEP_INTERVAL_SECONDS": "5"}


@pytest.fixture
def through(api: Api, kubeconfig: Path, tmp_path: Path) -> Iterator[tuple[Path, Faults]]:
    with proxied(api, kubeconfig, tmp_path) as made:
        yield made


@contextmanager
def operating(kubeconfig: Path, namespace: str, folder: Path) -> Iterator[OperatorProcess]:
    made = OperatorProcess(kubeconfig, namespace, folder, **SWEEP)
    try:
        yield made.wait_until_ready()
        assert "unexpectedly" not in made.log, made.log
    finally:
        made.end()


def complete(api: Api, namespace: str, name: str) -> bool:
    """All children exist, and the status speaks of the present generation."""
    body = api.one(QWENS, namespace, name) or {}
    seen = body.get("status", {}).get("observedGeneration")
    return len(api.children(namespace, name)) == 3 and seen == body["metadata"]["generation"]


def shape(api: Api, namespace: str, name: str) -> dict[str, Any]:
    """What children say, without what differs from one resource to another of the same spec."""
    return {
        place.split("/")[0]: each.get("spec", {}).get("template", {}).get("spec", {}).get("volumes")
        for place, each in api.children(namespace, name).items()
    }


def test_every_third_request_told_to_slow_down_ends_in_the_same_state(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path):
        count = itertools.count()
        slow = (429, {"Retry-After": "1"})
        faults.refuse = lambda asked: slow if asked.writes and next(count) % 3 == 0 else None
        names = [f"slowed-{number}" for number in range(5)]
        for name in names:
            api.create(QWENS, namespace, resource(name))
        for name in names:
            eventually("all is there", partial(complete, api, namespace, name), 40)
        assert len(faults.writes()) < 80


def test_lost_answers_to_carried_out_writes_give_each_object_once(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path):
        chance = random.Random(7)  # noqa: S311 - a repeatable test
        faults.lose = lambda asked: asked.writes and chance.random() < 0.5
        names = [f"lost-{number}" for number in range(4)]
        for name in names:
            api.create(QWENS, namespace, resource(name))
        for name in names:
            eventually("all is there", partial(complete, api, namespace, name), 60)
        faults.lose = lambda _asked: False
        assert len(faults.writes()) < 120


def test_refused_credentials_for_a_while_end_nothing(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path) as operator:
        faults.refuse = lambda _asked: (401, {})
        api.create(QWENS, namespace, resource("unknown-user"))
        time.sleep(4)  # a while of refusals can only be waited for
        faults.refuse = lambda _asked: None
        eventually("all is there", partial(complete, api, namespace, "unknown-user"), 40)
        assert operator.process.poll() is None


@pytest.mark.parametrize("folder", [SERVICES, DEPLOYMENTS], ids=["services", "deployments"])
def test_a_forbidden_kind_is_said_and_heals_itself(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path, folder: str
) -> None:
    kubeconfig, faults = through
    kind = folder.rsplit("/", 1)[1]
    name = f"no-{kind}"
    with operating(kubeconfig, namespace, tmp_path):
        faults.refuse = lambda asked: (
            (403, {}) if asked.writes and f"/{kind}/" in asked.path else None
        )
        api.create(QWENS, namespace, resource(name))
        eventually(
            "it is said",
            lambda: api.condition(namespace, name).get("reason") == "ApplyRefused",
        )
        assert "403" in api.condition(namespace, name)["message"]
        assert api.one(folder, namespace, name) is None
        faults.refuse = lambda _asked: None
        eventually("it heals", partial(complete, api, namespace, name), 20)


def test_events_that_never_arrive_are_found_by_the_sweep(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path) as operator:
        api.create(QWENS, namespace, resource("ghost"))
        eventually("all is there", partial(complete, api, namespace, "ghost"))
        faults.hide = lambda _event: True
        api.create(QWENS, namespace, resource("unheard"))
        api.delete(QWENS, namespace, "ghost")
        eventually("the sweep finds it", partial(complete, api, namespace, "unheard"), 20)
        eventually("no ghost's child", lambda: not api.children(namespace, "ghost"), 20)
        before = len([each for each in faults.writes() if "ghost" in each.path])
        time.sleep(6)  # one more sweep: that nothing follows can only be waited for
        assert len([each for each in faults.writes() if "ghost" in each.path]) == before
        api.create(QWENS, namespace, resource("unheard-too"))
        eventually("it calls itself deaf", lambda: operator.page("healthz")[0] == 503, 20)


def test_killed_after_any_write_it_ends_in_the_same_state(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with (
        proxied(api, kubeconfig, tmp_path) as (config, faults),
        operating(config, namespace, tmp_path),
    ):
        api.create(QWENS, namespace, resource("undisturbed"))
        eventually("all is there", partial(complete, api, namespace, "undisturbed"))
        writes = len(faults.writes())
    assert writes >= 4
    for number in range(1, writes + 1):
        name = f"killed-{number}"
        with proxied(api, kubeconfig, tmp_path) as (config, faults):
            with operating(config, namespace, tmp_path) as operator:
                _kill_at(faults, operator, number)
                api.create(QWENS, namespace, resource(name))
                assert operator.process.wait(15) == -signal.SIGKILL
            faults.lose = lambda _asked: False
    with operating(kubeconfig, namespace, tmp_path):
        for number in range(1, writes + 1):
            name = f"killed-{number}"
            eventually("all is there", partial(complete, api, namespace, name), 20)
            assert shape(api, namespace, name).keys() == shape(api, namespace, "undisturbed").keys()


def _kill_at(faults: Faults, operator: OperatorProcess, number: int) -> None:
    """SIGKILL as soon as its n-th write has been carried out, before it hears of that."""
    count = itertools.count(1)

    def lose(asked: Request) -> bool:
        if asked.writes and next(count) == number:
            operator.process.kill()
            return True
        return False

    faults.lose = lose


def test_a_manager_that_never_gives_in_is_named_and_costs_few_writes(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path
) -> None:
    kubeconfig, faults = through
    with operating(kubeconfig, namespace, tmp_path):
        api.create(QWENS, namespace, resource("disputed"))
        eventually("all is there", partial(complete, api, namespace, "disputed"))
        before = len(faults.writes())
        stop = threading.Event()
        quarrel = threading.Thread(target=_quarrel, args=(api, namespace, stop))
        quarrel.start()
        try:
            eventually(
                "it is said",
                lambda: api.condition(namespace, "disputed").get("reason") == "FieldConflict",
                20,
            )
            assert "stubborn" in api.condition(namespace, "disputed")["message"]
            time.sleep(5)  # that few writes follow can only be waited for
            assert len(faults.writes()) - before < 30
        finally:
            stop.set()
            quarrel.join()

        def restored() -> bool:
            found: Json = api.one(DEPLOYMENTS, namespace, "disputed") or {}
            return bool(found["spec"]["revisionHistoryLimit"] == 2)

        eventually("it is restored", restored, 40)


def _quarrel(api: Api, namespace: str, stop: threading.Event) -> None:
    path = f"{DEPLOYMENTS.format(namespace)}/disputed?fieldManager=stubborn"
    while not stop.wait(0.2):
        api.call("PATCH", path, {"spec": {"revisionHistoryLimit": 7}}, "merge-patch+json")


def test_a_namespace_that_ends_meanwhile_is_let_go(
    api: Api, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    ending = f"{namespace}-ending"
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": ending}})
    with operating(kubeconfig, ending, tmp_path) as operator:
        for number in range(10):
            api.create(QWENS, ending, resource(f"leaving-{number}"))
        api.call("DELETE", f"/api/v1/namespaces/{ending}")

        def gone() -> bool:
            try:
                api.call("GET", f"/api/v1/namespaces/{ending}")
            except Problem as problem:
                return problem.status == 404
            return False

        eventually("the namespace is gone", gone, 40)
        assert operator.process.poll() is None
        assert not [each for folder in CHILDREN for each in api.all(folder, ending)]


def test_a_signal_amid_many_passes_ends_it_in_time(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with operating(kubeconfig, namespace, tmp_path) as operator:
        for number in range(40):
            api.create(QWENS, namespace, resource(f"crowd-{number}", replicas=0))
        started = time.monotonic()
        assert operator.stop(10) == 0
        assert time.monotonic() - started < 10
    with operating(kubeconfig, namespace, tmp_path):
        for number in range(40):
            eventually("all is there", partial(complete, api, namespace, f"crowd-{number}"), 20)
