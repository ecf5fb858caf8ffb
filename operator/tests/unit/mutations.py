"""Resources that are nearly right: a spec that the schema allows, thinned out and then damaged."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from qwen_operator import naming
from tests.unit.specs import SPECS

Json = dict[str, Any]
_Place = tuple[Any, Any]

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    64,
    65,
    2**31,
    2**53 + 1,
    2**63,
    1.0,
    1.5,
    0.0,
    1e300,
    "",
    " ",
    "x",
    "X",
    "1",
    "1Gi",
    "0",
    "-1",
    "1.5",
    "1e3",
    "100m",
    "9" * 30 + "Ei",
    "a" * 64,
    "é" * 40,
    "\U0001f600",
    "a\nb",
    "pvc://claim/../x",
    "hf://a/b",
    [],
    [None],
    ["x"],
    [{}],
    {},
    {"a": None},
    {"a": 1},
    {"a": "x"},
)
"""What people write where something else belongs, and the ends of number ranges."""

_METADATA = st.fixed_dictionaries(
    {"name": st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)},
    optional={
        "labels": st.dictionaries(st.sampled_from(["a", "a/b", "A_b.c"]), st.just("x"), max_size=2),
        "annotations": st.dictionaries(
            st.sampled_from(["a", "a/b", "A_b.c"]), st.text("ab\n é", max_size=4), max_size=2
        ),
        "finalizers": st.just(["a.b/c"]),
        "ownerReferences": st.just([{"apiVersion": "v1", "kind": "A", "name": "a", "uid": "u"}]),
    },
)
_NAMES = (
    "x",
    "Model",
    "maxModelLenn",
    "name",
    "labels",
    "generateName",
    "finalizers",
    "A/b",
    "-a",
    "a/b/c",
    "é",
    "",
)


def _places(node: Any, parent: Any = None, key: Any = None) -> Iterator[_Place]:
    """Every place of a value: what holds it, and under which key."""
    if parent is not None:
        yield parent, key
    if isinstance(node, dict):
        for name in list(node):
            yield from _places(node[name], node, name)
    elif isinstance(node, list):
        for number, each in enumerate(node):
            yield from _places(each, node, number)


def _damage(draw: st.DrawFn, body: Json) -> None:
    places = list(_places(body))
    if not places:
        # Both metadata and spec were removed already.
        return
    holder, key = draw(st.sampled_from(places))
    match draw(st.sampled_from(["replace", "replace", "remove", "add", "repeat", "shift"])):
        case "remove":
            del holder[key]
        case "add" if isinstance(holder, dict):
            holder[draw(st.sampled_from(_NAMES))] = copy.deepcopy(draw(st.sampled_from(ODD)))
        case "repeat" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case "shift" if isinstance(holder[key], int) and not isinstance(holder[key], bool):
            holder[key] += draw(st.sampled_from([-1, 1]))
        case _:
            holder[key] = copy.deepcopy(draw(st.sampled_from(ODD)))


def _thinned(draw: st.DrawFn, node: Any) -> Any:
    """A part of an object: a whole one breaks so many rules that it shows one of them."""
    if not isinstance(node, dict):
        return node
    kept = [name for name in node if name in {"model", "source", "name"} or draw(st.booleans())]
    return {name: _thinned(draw, node[name]) for name in kept}


@st.composite
def bodies(draw: st.DrawFn) -> Json:
    """A QwenDeployment with none to three things wrong, most of them the schema's to find."""
    spec = draw(SPECS)
    for _ in range(draw(st.integers(0, 2))):
        spec = _thinned(draw, spec)
    body: Json = {
        "apiVersion": naming.API_VERSION,
        "kind": naming.KIND,
        "metadata": draw(_METADATA),
        "spec": spec,
    }
    # Strategies may hand out the same object again.
    body = copy.deepcopy(body)
    kept = {"apiVersion", "kind"}
    for _ in range(draw(st.integers(0, 3))):
        damaged = {name: each for name, each in body.items() if name not in kept}
        _damage(draw, damaged)
        body = {name: body[name] for name in kept} | damaged
    return body
