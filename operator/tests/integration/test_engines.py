"""Engines that hang, drip, lie or flood: told as they are, and of no harm to anybody else."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration import strange_engines
from tests.integration.api import QWENS, Api, Json, eventually
from tests.integration.pods import make_ready, played
from tests.integration.process import OperatorProcess
from tests.integration.strange_engines import EXPECTED, METADATA, Server

_MOST_GROWTH = 96 * 1024 * 1024
"""Bytes: one page of the largest size that is read, for each of those who flood, and slack."""


def figure(operator: OperatorProcess, name: str) -> float:
    """A series of the operator's own /metrics."""
    lines = operator.page("metrics")[1].splitlines()
    return next(float(each.rsplit(" ", 1)[1]) for each in lines if each.startswith(f"{name} "))


@pytest.fixture(scope="module")
def operator(
    api: Api, kubeconfig: Path, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Patient enough for a machine on which those who flood and those who do not share a core."""
    assert api
    patience = {"SCRAPE_INTERVAL_SECONDS": "2", "SCRAPE_TIMEOUT_SECONDS": "2"}
    made = OperatorProcess(kubeconfig, namespace, tmp_path_factory.mktemp("operator"), **patience)
    try:
        yield made.wait_until_ready()
        assert "Traceback" not in made.log, made.log
    finally:
        made.end()


@pytest.fixture(scope="module")
def engines() -> Iterator[tuple[dict[str, Server], Counter[str]]]:
    everybody = strange_engines.servers()
    with strange_engines.serving(everybody) as asked:
        yield everybody, asked


@pytest.fixture(scope="module")
def memory_before(operator: OperatorProcess) -> float:
    return figure(operator, "process_resident_memory_bytes")


@pytest.fixture(scope="module")
def served(
    api: Api,
    namespace: str,
    memory_before: float,
    engines: tuple[dict[str, Server], Counter[str]],
) -> dict[str, Server]:
    """A resource for each of them, whose pod is ready for kubelet."""
    assert memory_before
    everybody, _ = engines
    for each in everybody.values():
        api.create(QWENS, namespace, played(each.name))
    for each in everybody.values():
        make_ready(api, namespace, each.name, each.address)
    return everybody


def is_said(told: Json, reason: str, words: str) -> bool:
    return told.get("reason") == reason and words in told["message"]


@pytest.mark.parametrize("who", EXPECTED)
def test_who_answers_is_told_as_it_is(
    api: Api, namespace: str, served: dict[str, Server], who: str
) -> None:
    reason, words = EXPECTED[who]
    told = partial(api.condition, namespace, served[who].name)
    eventually(reason, lambda: is_said(told(), reason, words), seen=told)


def test_those_who_hang_or_flood_cost_the_sound_nothing(
    api: Api,
    namespace: str,
    served: dict[str, Server],
    operator: OperatorProcess,
    memory_before: float,
) -> None:
    name = served["sound"].name
    since = api.condition(namespace, name)["lastTransitionTime"]
    asked = served["sound"].asked
    eventually("five more readings", lambda: served["sound"].asked >= asked + 5)
    told = api.condition(namespace, name)
    assert (told["reason"], told["lastTransitionTime"]) == ("Serving", since)
    grown = figure(operator, "process_resident_memory_bytes") - memory_before
    assert grown < _MOST_GROWTH, f"{grown / 1e6:.0f} MB more than before"
    assert operator.page("healthz") == (200, "ok\n")


def test_nothing_beyond_the_pod_s_own_address_is_ever_asked(
    served: dict[str, Server], engines: tuple[dict[str, Server], Counter[str]]
) -> None:
    eventually("the one who sends elsewhere", lambda: served["redirecting"].asked >= 3)
    assert engines[1][METADATA] == 0


def test_triton_is_asked_for_the_model_and_for_nothing_else(served: dict[str, Server]) -> None:
    sound = served["sound"]
    assert sound.asked_for == {b"GET /v2/models/sound/ready HTTP/1.1"}
    assert not served["dead"].asked_for, "whose engine is dead is not asked"
