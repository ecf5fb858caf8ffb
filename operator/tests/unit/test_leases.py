"""One lease, several candidates: at most one leads, and a dead one is followed in time."""

import functools

import pytest

from qwen_operator.cluster.leases import DURATION_SECONDS, RENEW_SECONDS, Election, Name
from qwen_operator.cluster.protocol import LEASE
from qwen_operator.errors import Unreachable
from tests.unit.stand_ins import NOW, HandClock, InMemoryCluster


def candidate(cluster: InMemoryCluster, clock: HandClock, identity: str) -> Election:
    return Election(cluster, Name("system", "qwen-operator", identity), (clock, lambda: NOW))


def renewals(cluster: InMemoryCluster) -> int:
    return len([each for each in cluster.writes() if each[1] == "Lease"])


async def test_the_first_candidate_leads_and_the_second_stands_by() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one, two = (candidate(cluster, clock, name) for name in ("one", "two"))
    assert await one.attempt()
    assert not await two.attempt()
    assert (one.held, two.held, two.holder) == (True, False, "one")


async def test_a_leader_that_renews_is_never_followed() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one, two = (candidate(cluster, clock, name) for name in ("one", "two"))
    for step in range(30):
        # The record has to differ each time, as a renewed one does.
        one._wall = functools.partial(str, step)
        assert await one.attempt()
        assert not await two.attempt()
        clock.now += 2


async def test_a_dead_leader_is_followed_once_its_record_has_stood_still_for_the_duration() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one, two = (candidate(cluster, clock, name) for name in ("one", "two"))
    await one.attempt()
    await two.attempt()
    clock.now += DURATION_SECONDS
    assert not await two.attempt()
    clock.now += 0.1
    assert await two.attempt()
    assert cluster.one(LEASE, "qwen-operator", "system")["spec"]["leaseTransitions"] == 1


async def test_a_leader_stops_writing_before_anybody_else_may_begin() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one, two = (candidate(cluster, clock, name) for name in ("one", "two"))
    await one.attempt()
    await two.attempt()
    while not await two.attempt():
        clock.now += 0.5
        assert not (one.held and two.held)
    assert not one.held


async def test_a_leader_that_cannot_renew_stops_by_itself() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one = candidate(cluster, clock, "one")
    await one.attempt()
    cluster.refusals[("replace", "Lease")] = Unreachable("no answer")
    clock.now += RENEW_SECONDS - 0.1
    with pytest.raises(Unreachable):
        await one.attempt()
    assert one.held
    clock.now += 0.2
    assert not one.held


async def test_a_slow_renewal_counts_from_when_it_was_sent() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one = candidate(cluster, clock, "one")
    await one.attempt()
    plain = cluster.replace

    async def slow(manifest: dict[str, object]) -> dict[str, object]:
        clock.now += RENEW_SECONDS + 1
        return await plain(manifest)

    cluster.replace = slow  # type: ignore[method-assign]
    assert await one.attempt()
    assert not one.held


async def test_a_leader_whose_record_names_another_steps_down_at_once() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one = candidate(cluster, clock, "one")
    await one.attempt()
    lease = cluster.one(LEASE, "qwen-operator", "system")
    cluster.put({**lease, "spec": {**lease["spec"], "holderIdentity": "two"}})
    assert not await one.attempt()
    assert not one.held


async def test_a_released_lease_is_taken_at_once() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one, two = (candidate(cluster, clock, name) for name in ("one", "two"))
    await one.attempt()
    await two.attempt()
    await one.release()
    assert not one.held
    assert await two.attempt()


async def test_who_does_not_lead_releases_nothing() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one, two = (candidate(cluster, clock, name) for name in ("one", "two"))
    await one.attempt()
    before = renewals(cluster)
    await two.release()
    assert renewals(cluster) == before
    assert one.held


async def test_of_two_that_write_at_the_same_moment_one_leads() -> None:
    cluster, clock = InMemoryCluster(), HandClock()
    one, two = (candidate(cluster, clock, name) for name in ("one", "two"))
    await candidate(cluster, clock, "dead").attempt()
    await one.attempt()
    await two.attempt()
    clock.now += DURATION_SECONDS + 1
    plain = cluster.replace

    async def beaten(manifest: dict[str, object]) -> dict[str, object]:
        cluster.replace = plain  # type: ignore[method-assign]
        assert await two.attempt()
        return await plain(manifest)

    cluster.replace = beaten  # type: ignore[method-assign]
    assert not await one.attempt()
    assert (one.held, two.held) == (False, True)
