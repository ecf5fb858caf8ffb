"""The operator is killed after any of its writes, or told to end amid them: the next finishes."""

import itertools
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api import QWENS, Api, eventually, resource
from tests.integration.operating import complete, operating
from tests.integration.process import OperatorProcess
from tests.integration.proxy import Faults, Request, proxied


@pytest.fixture
def through(api: Api, kubeconfig: Path, tmp_path: Path) -> Iterator[tuple[Path, Faults]]:
    with proxied(api, kubeconfig, tmp_path) as made:
        yield made


def shape(api: Api, namespace: str, name: str) -> dict[str, Any]:
    """What children say, without what differs from one resource to another of the same spec."""
    return {
        place.split("/")[0]: each.get("spec", {}).get("template", {}).get("spec", {}).get("volumes")
        for place, each in api.children(namespace, name).items()
    }


def test_killed_after_any_write_it_ends_in_the_same_state(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with (
        proxied(api, kubeconfig, tmp_path) as (config, faults),
        operating(config, namespace, tmp_path),
    ):
        # The first of a namespace makes what all of them share.
        api.create(QWENS, namespace, resource("first"))
        eventually("all is there", partial(complete, api, namespace, "first"))
        before = len(faults.writes())
        api.create(QWENS, namespace, resource("undisturbed"))
        eventually("all is there", partial(complete, api, namespace, "undisturbed"))
        writes = len([each for each in faults.writes()[before:] if "undisturbed" in each.path])
    assert writes >= 4
    for number in range(1, writes + 1):
        name = f"killed-{number}"
        with proxied(api, kubeconfig, tmp_path) as (config, faults):
            with operating(config, namespace, tmp_path) as operator:
                _kill_at(faults, operator, number)
                api.create(QWENS, namespace, resource(name))
                assert operator.wait() == -signal.SIGKILL
            faults.lose = lambda _asked: False
    with operating(kubeconfig, namespace, tmp_path):
        for number in range(1, writes + 1):
            name = f"killed-{number}"
            eventually("all is there", partial(complete, api, namespace, name))
            assert shape(api, namespace, name).keys() == shape(api, namespace, "undisturbed").keys()


def _kill_at(
    faults: Faults, operator: OperatorProcess, number: int, about: str | None = None
) -> None:
    """SIGKILL as soon as its n-th write has been carried out, before it hears of that."""
    count = itertools.count(1)

    def lose(asked: Request) -> bool:
        if asked.writes and (about or "") in asked.path and next(count) == number:
            operator.process.kill()
            return True
        return False

    faults.lose = lose


def test_killed_after_any_write_of_an_edit_the_next_start_finishes_it(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    change = {"spec": {"engine": {"maxModelLen": 512}, "service": {"type": "NodePort"}}}
    with (
        proxied(api, kubeconfig, tmp_path) as (config, faults),
        operating(config, namespace, tmp_path),
    ):
        api.create(QWENS, namespace, resource("calm", replicas=0))
        eventually("all is there", partial(complete, api, namespace, "calm"))
        before = len(faults.writes())
        api.merge(QWENS, namespace, "calm", change)
        eventually("the edit", partial(_is_edited, api, namespace, "calm"))
        writes = len([each for each in faults.writes()[before:] if "calm" in each.path])
        for number in range(1, writes + 1):
            api.create(QWENS, namespace, resource(f"struck-{number}", replicas=0))
        for number in range(1, writes + 1):
            eventually("all is there", partial(complete, api, namespace, f"struck-{number}"))
    assert writes >= 5
    for number in range(1, writes + 1):
        name = f"struck-{number}"
        with (
            proxied(api, kubeconfig, tmp_path) as (config, faults),
            operating(config, namespace, tmp_path) as operator,
        ):
            _kill_at(faults, operator, number, name)
            api.merge(QWENS, namespace, name, change)
            assert operator.wait() == -signal.SIGKILL
    with operating(kubeconfig, namespace, tmp_path):
        for number in range(1, writes + 1):
            eventually("the edit", partial(_is_edited, api, namespace, f"struck-{number}"))


def _is_edited(api: Api, namespace: str, name: str) -> bool:
    """Both children are as the edit wants them, its file has replaced the old one."""
    body, children = api.one(QWENS, namespace, name) or {}, api.children(namespace, name)
    told = body.get("status", {})
    wanted = {f"configmaps/{name}-{told.get('configHash')}", f"services/{name}"}
    if children.keys() != wanted | {f"deployments/{name}"} or told.get("observedGeneration") != 2:
        return False
    template = children[f"deployments/{name}"]["spec"]["template"]["metadata"]["annotations"]
    return bool(
        template["qwen-operator.dev/config-hash"] == told["configHash"]
        and children[f"services/{name}"]["spec"]["type"] == "NodePort"
    )


@pytest.mark.parametrize("gone", [False, True], ids=["slow", "gone"])
def test_a_signal_ends_it_in_time_though_the_api_server_answers_no_more(
    api: Api, namespace: str, through: tuple[Path, Faults], tmp_path: Path, *, gone: bool
) -> None:
    kubeconfig, faults = through
    lease = {"LEASE_NAMESPACE": namespace, "LEASE_NAME": f"ending-{gone}".lower()}
    with operating(kubeconfig, namespace, tmp_path, **lease) as operator:
        for number in range(20):
            api.create(QWENS, namespace, resource(f"ending-{gone}-{number}".lower(), replicas=0))
        # Every request hangs from now on, the lease's too; or nobody answers at all.
        faults.away = gone
        faults.delay = lambda _asked: 0.0 if gone else 60.0
        asked = len(faults.seen)
        eventually("a request that hangs", lambda: len(faults.seen) > asked)
        started = time.monotonic()
        assert operator.stop() == 0
        assert time.monotonic() - started < 10
        assert "Traceback" not in operator.log


def test_a_signal_amid_many_passes_ends_it_in_time(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with operating(kubeconfig, namespace, tmp_path) as operator:
        for number in range(40):
            api.create(QWENS, namespace, resource(f"crowd-{number}", replicas=0))
        started = time.monotonic()
        assert operator.stop() == 0
        assert time.monotonic() - started < 10
    with operating(kubeconfig, namespace, tmp_path):
        for number in range(40):
            eventually("all is there", partial(complete, api, namespace, f"crowd-{number}"))
