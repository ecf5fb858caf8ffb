"""No field of the published schema disappears or narrows: stored resources stay valid.

`crds/published/` holds the schema that users may have; it is replaced, by a copy of
`crds/qwendeployments.yaml`, when a version is released, and in the same change as a narrowing that
is wanted, which the CHANGELOG then tells.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from qwen_operator.api.schema import definition
from tests.unit.compatibility import narrowings

PUBLISHED = Path(__file__).resolve().parents[3] / "crds" / "published" / "qwendeployments.yaml"
Json = dict[str, Any]


def spec_of(document: Json) -> Json:
    (version,) = document["spec"]["versions"]
    found: Json = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def test_nothing_of_the_published_schema_is_taken_away() -> None:
    published = spec_of(yaml.safe_load(PUBLISHED.read_text(encoding="utf-8")))
    assert list(narrowings(published, spec_of(definition()), "spec")) == []


def _drop(spec: Json) -> None:
    del spec["properties"]["engine"]["properties"]["dtype"]


def _lower(spec: Json) -> None:
    spec["properties"]["replicas"]["maximum"] = 10


def _retype(spec: Json) -> None:
    spec["properties"]["replicas"]["type"] = "string"


def _require(spec: Json) -> None:
    spec["properties"]["model"]["required"].append("revision")


def _forbid(spec: Json) -> None:
    spec["properties"]["engine"]["properties"]["dtype"]["enum"].remove("half")


def _rule(spec: Json) -> None:
    spec["x-kubernetes-validations"].append({"rule": "self.replicas < 3", "message": "few"})


def _default(spec: Json) -> None:
    spec["properties"]["engine"]["properties"]["gpuMemoryUtilization"]["default"] = 0.5


def _inside_a_list(spec: Json) -> None:
    del spec["properties"]["scheduling"]["properties"]["tolerations"]["items"]["properties"]["key"]


@pytest.mark.parametrize(
    "change", [_drop, _lower, _retype, _require, _forbid, _rule, _default, _inside_a_list]
)
def test_every_kind_of_narrowing_is_noticed(change: Callable[[Json], None]) -> None:
    old, new = spec_of(definition()), copy.deepcopy(spec_of(definition()))
    change(new)
    assert len(list(narrowings(old, new, "spec"))) == 1


def test_a_new_optional_field_and_a_wider_bound_are_no_narrowing() -> None:
    old, new = spec_of(definition()), copy.deepcopy(spec_of(definition()))
    new["properties"]["later"] = {"type": "string", "maxLength": 5}
    new["properties"]["replicas"]["maximum"] = 5000
    assert list(narrowings(old, new, "spec")) == []
