"""Two operators: one leads, the other follows it when it is stopped, dies or freezes."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.api import QWENS, Api, constantly, eventually, resource
from tests.integration.process import OperatorProcess

TAKEOVER_SECONDS = 20
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"

Pair = tuple[OperatorProcess, OperatorProcess]


@pytest.fixture
def pair(api: Api, kubeconfig: Path, namespace: str, tmp_path: Path) -> Iterator[Pair]:
    """A leader and its standby."""
    assert api
    lease = f"lease-{tmp_path.name[-20:]}".replace("_", "-")
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


def served(api: Api, namespace: str, name: str) -> bool:
    return len(api.children(namespace, name)) == 3


def test_a_standby_does_nothing_and_follows_a_killed_leader_within_20_s(
    api: Api, namespace: str, pair: Pair
) -> None:
    leader, standby = pair
    api.create(QWENS, namespace, resource("first"))
    eventually("the leader works", lambda: served(api, namespace, "first"))
    assert "first" not in standby.log
    leader.process.kill()
    killed = time.monotonic()
    api.create(QWENS, namespace, resource("second"))
    eventually("the standby works", lambda: served(api, namespace, "second"), TAKEOVER_SECONDS)
    assert time.monotonic() - killed < TAKEOVER_SECONDS


def test_a_stopped_leader_hands_over_at_once(api: Api, namespace: str, pair: Pair) -> None:
    leader, standby = pair
    assert leader.stop(10) == 0
    api.create(QWENS, namespace, resource("handed-over"))
    eventually("the standby works", lambda: served(api, namespace, "handed-over"), 6)
    assert standby.process.poll() is None


def test_a_frozen_leader_that_wakes_writes_nothing_and_ends(
    api: Api, namespace: str, pair: Pair
) -> None:
    leader, standby = pair
    api.create(QWENS, namespace, resource("frozen"))
    eventually("the leader works", lambda: served(api, namespace, "frozen"))
    leader.process.send_signal(signal.SIGSTOP)
    eventually("the standby leads", lambda: "leading" in standby.log, TAKEOVER_SECONDS)
    # What the frozen one would want to write as soon as it wakes.
    api.create(QWENS, namespace, resource("thawed"))
    eventually("the standby works", lambda: served(api, namespace, "thawed"))
    eventually("a status", lambda: api.condition(namespace, "thawed"))
    said = len(leader.log)
    leader.process.send_signal(signal.SIGCONT)
    assert leader.process.wait(10) == 3
    assert "the lease is lost" in leader.log[said:]
    assert "applying" not in leader.log[said:]
    constantly("what the other made", lambda: sorted(api.children(namespace, "thawed")), 2)
