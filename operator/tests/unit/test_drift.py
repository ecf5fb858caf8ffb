"""Whether a live object is what we want: the laws, and the cases that a real API server brings."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.api.resource import read_resource
from qwen_operator.desired.children import desired
from qwen_operator.desired.drift import _merge_key, holds, reclaimed
from qwen_operator.settings import Settings
from tests.unit.stand_ins import BACKEND, Json, resource_body

LEAVES = st.text(max_size=5) | st.integers() | st.booleans()
KEYS = st.text(min_size=1, max_size=4).filter(lambda key: key != "name")


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.lists(
        st.tuples(st.text(max_size=4), st.dictionaries(KEYS, inner, max_size=3)),
        max_size=3,
        unique_by=lambda pair: pair[0],
    ).map(lambda pairs: [{**fields, "name": name} for name, fields in pairs])
    return st.dictionaries(KEYS, inner, max_size=3) | st.lists(LEAVES, max_size=3) | named


MANIFESTS = st.dictionaries(KEYS, st.recursive(LEAVES, _objects, max_leaves=8), max_size=4)


def with_additions(value: Any, mark: str = "added by others") -> Any:
    """What a live object has beyond what was applied."""
    if isinstance(value, dict):
        return {**{key: with_additions(each) for key, each in value.items()}, mark: mark}
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        # A list whose elements nothing tells apart is one value: who adds to it changes it.
        theirs = [{"name": mark}] if _merge_key(value) else []
        return [*theirs, *(with_additions(each) for each in value)]
    return copy.deepcopy(value)


def changed(value: Any) -> list[Any]:
    """The same value with one leaf changed, for every leaf."""
    if isinstance(value, dict):
        return [{**value, key: each} for key in value for each in changed(value[key])]
    if isinstance(value, list):
        return [
            [*value[:n], each, *value[n + 1 :]]
            for n in range(len(value))
            for each in changed(value[n])
        ]
    return ["another value"]


def without(value: Any) -> list[Any]:
    """The same mapping with one leaf removed, for every leaf of a mapping."""
    if not isinstance(value, dict):
        return []
    made = []
    for key, inner in value.items():
        if not isinstance(inner, dict | list):
            made.append({name: each for name, each in value.items() if name != key})
        made += [{**value, key: each} for each in without(inner)]
    return made


@given(MANIFESTS)
def test_a_manifest_holds_in_itself_plus_what_others_add(manifest: Json) -> None:
    assert holds(manifest, manifest)
    assert holds(with_additions(manifest), manifest)


@given(MANIFESTS)
def test_any_changed_or_missing_value_is_seen(manifest: Json) -> None:
    for live in [*changed(manifest), *without(manifest)]:
        assert not holds(live, manifest), live
        assert not holds(with_additions(live), manifest), live


def _children() -> list[Json]:
    body = resource_body(
        scheduling={
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {"x": [1, 2]}},
        },
        model={"source": "hf://a/b", "tokenSecretRef": {"name": "hub"}},
    )
    return list(desired(read_resource(body), Settings(), BACKEND).children)


@pytest.mark.parametrize("child", _children(), ids=lambda child: str(child["kind"]))
def test_the_laws_hold_for_every_leaf_of_real_children(child: Json) -> None:
    assert holds(with_additions(child), child)
    for live in [*changed(child), *without(child)]:
        assert not holds(live, child)


def test_an_empty_value_that_the_server_leaves_out_is_no_drift() -> None:
    assert holds({}, {"emptyDir": {}})
    assert holds({}, {"labels": []})
    assert holds({"labels": None}, {"labels": []})
    assert not holds({}, {"labels": ["a"]})


def test_elements_may_come_in_another_order_when_they_have_names() -> None:
    wanted = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    assert holds({"env": wanted["env"][::-1]}, wanted)


def test_plain_lists_are_compared_whole() -> None:
    wanted = {"args": ["a", "b"]}
    assert not holds({"args": ["b", "a"]}, wanted)
    assert not holds({"args": ["a", "b", "c"]}, wanted)
    assert not holds({"args": "ab"}, wanted)


def test_elements_that_share_a_key_are_told_apart() -> None:
    wanted = {
        "tolerations": [
            {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "gpu", "operator": "Exists", "effect": "NoExecute"},
        ]
    }
    assert holds(copy.deepcopy(wanted), wanted)
    assert not holds({"tolerations": wanted["tolerations"][1:] * 2}, wanted)


def test_another_mount_of_the_same_volume_is_somebody_elses() -> None:
    wanted = {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}  # noqa: S108 - a pod's path
    live = {"volumeMounts": [*wanted["volumeMounts"], {"name": "tmp", "mountPath": "/extra"}]}
    assert holds(live, wanted)


@pytest.mark.parametrize(
    ("wanted", "live"),
    [("0.5", "500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("1000M", "1G")],
)
def test_an_amount_that_the_server_writes_in_another_unit_is_no_drift(
    wanted: str, live: str
) -> None:
    assert holds({"limits": {"memory": live}}, {"limits": {"memory": wanted}})
    assert holds({"sizeLimit": live}, {"sizeLimit": wanted})
    assert not holds({"limits": {"memory": "77"}}, {"limits": {"memory": wanted}})


def test_only_amounts_are_compared_by_amount() -> None:
    assert not holds({"labels": {"size": "1"}}, {"labels": {"size": "1000m"}})


PORTS = [{"name": "http", "port": 8000}, {"name": "grpc", "port": 8001}]


@pytest.mark.parametrize(
    ("theirs", "needed"),
    [
        (PORTS, False),
        ([], False),
        ([*PORTS, {"name": "extra", "port": 1}], False),
        ([{"name": "http", "port": 9000}, PORTS[1]], True),
        ([*PORTS, {"port": 1}], False),
    ],
)
def test_renumbered_ports_are_taken_back_as_a_whole(theirs: list[Json], *, needed: bool) -> None:
    live = {"metadata": {"resourceVersion": "7"}, "spec": {"ports": theirs}}
    change = {"metadata": {"resourceVersion": "7"}, "spec": {"ports": PORTS}} if needed else None
    assert reclaimed(live, {"spec": {"ports": PORTS}}) == change
    assert reclaimed(live, {"data": {}}) is None
