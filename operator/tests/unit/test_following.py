"""Children are watched from the version of a list on, whatever breaks the watch off."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from qwen_operator.cluster.protocol import POD, Kind
from qwen_operator.errors import Gone, OperatorError, Refused, Unreachable
from qwen_operator.loops import following
from qwen_operator.loops.following import Follower
from qwen_operator.naming import MANAGED_SELECTOR, Key
from qwen_operator.observe.store import Store
from tests.unit.stand_ins import InMemoryCluster, Json
from tests.unit.test_store import KEY, member

Script = list[Json | OperatorError]


def event(kind: str, name: str, version: int) -> Json:
    return {"type": kind, "object": member(name, version)}


class Scripted(InMemoryCluster):
    """Each watch plays the next script; after the last nothing happens any more."""

    def __init__(self, *scripts: Script) -> None:
        super().__init__()
        self.scripts = list(scripts)
        self.asked: list[str] = []
        self.ended = asyncio.Event()

    async def watch(
        self, kind: Kind, namespace: str | None, selector: str, version: str
    ) -> AsyncIterator[Json]:
        assert (kind, namespace, selector) == (POD, "models", MANAGED_SELECTOR)
        self.asked.append(version)
        if not self.scripts:
            self.ended.set()
            await asyncio.Event().wait()
        for each in self.scripts.pop(0):
            if isinstance(each, OperatorError):
                raise each
            yield each


class Heard:
    """What a follower tells."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.poked: list[Key] = []
        self.restarts = 0

    def deliver(self, kind: str, body: Json) -> None:
        self.events.append((kind, body["metadata"]["name"]))

    def restarted(self) -> None:
        self.restarts += 1


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_FIRST_PAUSE", 0.0)


async def followed(
    *scripts: Script, prepare: Callable[[InMemoryCluster, Store], None] = lambda _c, _s: None
) -> tuple[Scripted, Heard, Store]:
    cluster, heard, store = Scripted(*scripts), Heard(), Store()
    prepare(cluster, store)
    tell = (heard.deliver, heard.poked.append, heard.restarted)
    follower = Follower(cluster, store, (POD, "models"), tell)
    task = asyncio.create_task(follower.follow("5"))
    await asyncio.wait_for(cluster.ended.wait(), 5)
    task.cancel()
    await asyncio.wait({task})
    return cluster, heard, store


async def test_events_are_delivered_and_a_watch_that_ends_goes_on_where_it_was() -> None:
    cluster, heard, _ = await followed(
        [event("ADDED", "a", 6), event("MODIFIED", "a", 9), event("BOOKMARK", "", 40)],
        [event("DELETED", "a", 41)],
    )
    assert heard.events == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert cluster.asked == ["5", "40", "41"]
    assert heard.restarts == 0
    assert cluster.calls == [], "nothing was listed"


@pytest.mark.parametrize("problem", [Unreachable("away"), Refused("403")], ids=repr)
async def test_a_watch_that_breaks_goes_on_where_it_was(problem: OperatorError) -> None:
    cluster, heard, _ = await followed([event("ADDED", "a", 6), problem], [problem])
    assert cluster.asked == ["5", "6", "6"]
    assert heard.restarts == 2


async def test_a_version_that_is_too_old_means_a_list_and_what_that_shows_is_poked() -> None:
    def prepare(cluster: InMemoryCluster, store: Store) -> None:
        store.put(member("gone", 1, owner="other"))
        cluster.put(member("new", 1))

    cluster, heard, store = await followed([Gone("410")], prepare=prepare)
    assert set(heard.poked) == {KEY, Key("models", "other")}
    assert [each["metadata"]["name"] for each in store.pods()] == ["new"]
    assert cluster.asked == ["5", str(cluster._version)]


async def test_a_list_that_fails_is_tried_again_before_watching() -> None:
    def prepare(cluster: InMemoryCluster, _store: Store) -> None:
        listed = cluster.pages
        failures = [Unreachable("away"), Unreachable("away")]

        def pages(kind: Kind, namespace: str | None, selector: str = "") -> object:
            if failures:
                raise failures.pop()
            return listed(kind, namespace, selector)

        cluster.pages = pages  # type: ignore[method-assign, assignment]

    cluster, heard, _ = await followed([Gone("410")], prepare=prepare)
    assert len(cluster.asked) == 2
    assert heard.restarts == 3
