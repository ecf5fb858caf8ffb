"""Two operators: one leads, the other follows it when it is stopped, dies or freezes."""

import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.integration.api import QWENS, Api, Json, constantly, eventually, resource
from tests.integration.process import OperatorProcess

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"

Pair = tuple[OperatorProcess, OperatorProcess]


@pytest.fixture
def lease(tmp_path: Path) -> str:
    """The name of a test's own."""
    return f"lease-{tmp_path.name[-20:]}".replace("_", "-")


@pytest.fixture
def pair(api: Api, kubeconfig: Path, namespace: str, lease: str, tmp_path: Path) -> Iterator[Pair]:
    """A leader and its standby."""
    assert api
    given = {"LEASE_NAMESPACE": namespace, "LEASE_NAME": lease}
    one, two = (
        OperatorProcess(kubeconfig, namespace, tmp_path, **given, LEASE_IDENTITY="one"),
        OperatorProcess(kubeconfig, namespace, tmp_path, **given, LEASE_IDENTITY="two"),
    )
    try:
        for each in (one, two):
            each.wait_until_ready()
        leader, standby = (one, two) if "leading, as one" in one.log else (two, one)
        assert "leading" not in standby.log
        yield leader, standby
    finally:
        one.process.send_signal(signal.SIGCONT)
        one.end()
        two.end()


def written(api: Api, namespace: str, lease: str) -> Json:
    """What the lease says."""
    found: Json = (api.one(LEASES, namespace, lease) or {})["spec"]
    return found


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def served(api: Api, namespace: str, name: str) -> bool:
    return len(api.children(namespace, name)) == 3


def test_a_standby_does_nothing_and_follows_a_killed_leader_within_20_s(
    api: Api, namespace: str, lease: str, pair: Pair
) -> None:
    leader, standby = pair
    api.create(QWENS, namespace, resource("first"))
    eventually("the leader works", lambda: served(api, namespace, "first"))
    assert "first" not in standby.log
    leader.process.kill()
    leader.wait()
    last = written(api, namespace, lease)
    api.create(QWENS, namespace, resource("second"))
    eventually("the standby works", lambda: served(api, namespace, "second"))
    now = written(api, namespace, lease)
    assert now["holderIdentity"] != last["holderIdentity"]
    # By what both wrote down, and not by when a test came to see it.
    assert seconds_between(last["renewTime"], now["acquireTime"]) < 20


def test_a_stopped_leader_hands_over_at_once(
    api: Api, namespace: str, lease: str, pair: Pair
) -> None:
    leader, standby = pair
    before = written(api, namespace, lease)["holderIdentity"]
    assert leader.stop() == 0
    assert written(api, namespace, lease)["holderIdentity"] != before, "nobody need wait for it"
    api.create(QWENS, namespace, resource("handed-over"))
    eventually("the standby works", lambda: served(api, namespace, "handed-over"))
    assert standby.process.poll() is None


def test_a_frozen_leader_that_wakes_writes_nothing_and_ends(
    api: Api, namespace: str, pair: Pair
) -> None:
    leader, standby = pair
    api.create(QWENS, namespace, resource("frozen"))
    eventually("the leader works", lambda: served(api, namespace, "frozen"))
    leader.process.send_signal(signal.SIGSTOP)
    eventually("the standby leads", lambda: "leading" in standby.log)
    # What the frozen one would want to write as soon as it wakes.
    api.create(QWENS, namespace, resource("thawed"))
    eventually("the standby works", lambda: served(api, namespace, "thawed"))
    eventually("a status", lambda: api.condition(namespace, "thawed"))
    said = len(leader.log)
    leader.process.send_signal(signal.SIGCONT)
    assert leader.wait() == 3
    assert "the lease is lost" in leader.log[said:]
    assert "applying" not in leader.log[said:]
    constantly("what the other made", lambda: sorted(api.children(namespace, "thawed")), 2)
