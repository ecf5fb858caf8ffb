"""What all unit tests share: the option to rewrite golden files, and a reconciler on stand-ins."""

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as profile

from qwen_operator.naming import Key
from qwen_operator.observe.capacity import Capacity
from qwen_operator.observe.engines import Engines
from qwen_operator.observe.store import Store
from qwen_operator.observe.warnings import Warnings
from qwen_operator.reconcile.passes import Reconciler
from qwen_operator.settings import Settings
from tests.unit.stand_ins import BACKEND, NOW, HandClock, InMemoryCluster, Json, ScriptedPods

# A shared two-core machine stalls now and then; what is tested is behaviour, not speed.
profile.register_profile(
    "quick", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
profile.load_profile("quick")

PATIENCE = 10.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write golden files instead of comparing"
    )


@dataclass
class Bench:
    """A reconciler with everything that it touches, all in a test's hands."""

    cluster: InMemoryCluster
    pods: ScriptedPods
    clock: HandClock
    store: Store
    engines: Engines
    capacity: Capacity
    reconcile: Reconciler
    time: list[str]

    def add(self, body: Json) -> Json:
        """An object appears in the cluster, and the watch tells of it."""
        return self.cluster.put(body)

    async def once(self, name: str = "qwen") -> None:
        """One pass."""
        await self.reconcile(Key("models", name))


def make_bench(settings: Settings | None = None) -> Bench:
    cluster, pods, clock, store = InMemoryCluster(), ScriptedPods(), HandClock(), Store()
    engines = Engines(pods, 4, PATIENCE, clock)
    capacity, time = Capacity(clock), [NOW]

    def deliver(event: str, body: Json) -> None:
        if event == "DELETED":
            store.drop(body)
        else:
            store.put(body)

    cluster.listener = deliver
    reconcile = Reconciler(
        cluster,
        (store, engines, Warnings(lambda: 0.0), capacity),
        (settings or Settings(), BACKEND),
        (lambda: time[0], clock),
        settle_seconds=0,
    )
    return Bench(cluster, pods, clock, store, engines, capacity, reconcile, time)


@pytest.fixture
def bench() -> Bench:
    return make_bench()
