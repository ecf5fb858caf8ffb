"""Names of children: valid for every resource name, equal only for equal ones."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.naming import Key, child_name, digest

ALPHABET = "abz059-."
NAMES = st.text(ALPHABET, min_size=1, max_size=80).map(
    lambda text: re.sub(r"[-.]*\.[-.]*", ".", text).strip("-.") or "0"
)
"""DNS subdomains, as the API server takes them for names of custom resources."""

SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@given(NAMES)
def test_every_resource_name_gives_a_valid_service_name(name: str) -> None:
    made = child_name(name)
    assert SERVICE.fullmatch(made), made
    assert len(made) <= 46


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,44}[a-z0-9])?", fullmatch=True))
def test_an_ordinary_name_is_kept(name: str) -> None:
    assert child_name(name) == name


@given(st.sets(NAMES, min_size=2, max_size=20))
def test_different_names_never_meet(names: set[str]) -> None:
    assert len({child_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a.b", "a-b"), ("1a", "q-1a"), ("x" * 200 + "1", "x" * 200 + "2"), ("a.b.c", "a-b.c")],
)
def test_names_that_look_alike_after_fitting_differ(one: str, other: str) -> None:
    assert child_name(one) != child_name(other)


@pytest.mark.parametrize("name", ["0", "9" * 253, "a" * 46 + "-" + "b", "x." * 100 + "x", "a" * 47])
def test_extreme_names_fit(name: str) -> None:
    assert SERVICE.fullmatch(child_name(name))
    assert len(child_name(name)) <= 46


def test_the_longest_child_leaves_room_for_what_kubernetes_adds() -> None:
    # A pod's name is the Deployment's, a hyphen, ten of the ReplicaSet, a hyphen and five.
    assert len(child_name("n" * 253)) + 17 <= 63
    # A ConfigMap's is the child's, a hyphen and the hash.
    assert len(child_name("n" * 253) + "-" + digest({})) <= 253


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=5))
def test_a_digest_does_not_depend_on_order(value: dict[str, object]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


def test_a_key_is_written_as_kubectl_writes_it() -> None:
    assert str(Key("models", "qwen")) == "models/qwen"
