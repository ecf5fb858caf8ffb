"""Events, lists and answers arrive in any order, twice or late: what is known in the end is one."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.cluster.protocol import CONFIG_MAP, DEPLOYMENT, OWNED, QWEN, SERVICE
from qwen_operator.naming import Key
from qwen_operator.observe.store import Store
from tests.unit.conftest import make_bench
from tests.unit.stand_ins import Json, resource_body

KEY = Key("models", "qwen")
News = tuple[str, Json]


def tell(store: Store, news: list[News]) -> None:
    for what, body in news:
        if what == "DELETED":
            store.drop(body)
        else:
            store.put(body)


def known(store: Store) -> list[tuple[str, str, str]]:
    """Kind, uid and version of all that the store has of the resource."""
    found = [each for kind in (QWEN, *OWNED) for each in store.members(KEY, kind)]
    return sorted(
        (each["kind"], each["metadata"]["uid"], each["metadata"]["resourceVersion"])
        for each in found
    )


def at(body: Json, version: int, **spec: Any) -> Json:
    made = copy.deepcopy(body)
    made["metadata"]["resourceVersion"] = str(version)
    made["metadata"]["generation"] = version
    made["spec"] = {**made["spec"], **spec}
    return made


def another(uid: str, version: int) -> Json:
    made = at(resource_body(), version)
    made["metadata"]["uid"] = uid
    return made


# One resource that was edited and deleted, and the one that followed it under the same name.
HISTORY: list[News] = [
    ("ADDED", another("first", 1)),
    ("MODIFIED", another("first", 4)),
    ("MODIFIED", another("first", 6)),
    ("DELETED", another("first", 9)),
    ("ADDED", another("second", 11)),
    ("MODIFIED", another("second", 15)),
]


@given(st.permutations(HISTORY), st.lists(st.sampled_from(HISTORY[:3]), max_size=3))
def test_whatever_the_order_the_latest_state_of_what_is_left_is_known(
    order: list[News], late: list[News]
) -> None:
    store = Store()
    tell(store, [*order, *late])
    assert known(store) == [("QwenDeployment", "second", "15")]


@given(st.randoms(use_true_random=False), st.integers(0, 6))
async def test_whatever_the_order_of_what_is_told_the_cluster_ends_the_same(
    chance: Any, replicas: int
) -> None:
    bench = make_bench()
    news: list[News] = []
    deliver = bench.cluster.listener

    def record(event: str, body: Json) -> None:
        news.append((event, copy.deepcopy(body)))
        deliver(event, body)

    # Undisturbed: made, edited, a child deleted and made anew.
    bench.cluster.listener = record
    bench.add(resource_body())
    await bench.once()
    bench.add(at(resource_body(), 2, replicas=replicas))
    await bench.once()
    bench.cluster.take(SERVICE, "qwen")
    await bench.once()
    shape = [bench.cluster.all(kind) for kind in (CONFIG_MAP, DEPLOYMENT, SERVICE)]
    # Told anew to one that knows nothing, in another order and some of it twice.
    told = [*news, *chance.sample(news, len(news) // 2)]
    chance.shuffle(told)
    fresh = Store()
    tell(fresh, told)
    assert known(fresh) == known(bench.store)
    bench.cluster.calls.clear()
    tell(bench.store, told)
    await bench.once()
    assert bench.cluster.writes() == []
    assert [bench.cluster.all(kind) for kind in (CONFIG_MAP, DEPLOYMENT, SERVICE)] == shape
