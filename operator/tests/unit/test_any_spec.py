"""Whatever spec the schema allows: it is refused in words, or rendered, the same each time."""

import copy
import json
import re
from typing import Any

from google.protobuf import text_format  # type: ignore[import-untyped]
from hypothesis import HealthCheck, example, given, settings
from tritonclient.grpc.model_config_pb2 import ModelConfig

from qwen_operator import naming
from qwen_operator.api.resource import Resource, read_resource
from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.desired.children import Desired, desired, with_applied_hash
from qwen_operator.desired.drift import holds
from qwen_operator.desired.held import held_back
from qwen_operator.desired.repository import backend_files, model_json
from qwen_operator.errors import InvalidSpec
from qwen_operator.settings import Settings
from tests.unit.specs import SPECS
from tests.unit.stand_ins import BACKEND, SOURCES, Json, resource_body

patient = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


told: list[str] = []
"""What was refused, in the operator's words."""


def rendered(spec: Json) -> tuple[Resource, Desired] | None:
    """A spec as the operator sees it, and what it makes of it; None where it refuses in words."""
    body = resource_body("q")
    body["spec"] = spec
    try:
        resource = read_resource(body)
        return resource, desired(resource, Settings(), BACKEND)
    except InvalidSpec as refusal:
        told.append(str(refusal))
        return None


@patient
@given(SPECS)
def test_a_spec_is_refused_in_words_or_rendered_twice_the_same(spec: Json) -> None:
    told.clear()
    one, two = rendered(spec), rendered(copy.deepcopy(spec))
    if one is None or two is None:
        assert one is two
        assert told[0] == told[1]
        assert "spec." in told[0]
        return
    assert json.dumps(one[1].children) == json.dumps(two[1].children)


@patient
@given(SPECS)
def test_what_is_read_and_written_out_again_is_the_same_spec(spec: Json) -> None:
    found = rendered(spec)
    if found is None:
        return
    written = found[0].spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert Spec.model_validate(written) == found[0].spec


@patient
@given(SPECS)
def test_model_json_in_the_config_map_is_what_was_meant(spec: Json) -> None:
    found = rendered(spec)
    if found is None:
        return
    resource, made = found
    files = next(each for each in made.children if each["kind"] == "ConfigMap")["data"]
    assert json.loads(files["model.json"]) == json.loads(json.dumps(model_json(resource)))
    config = text_format.Parse(files["config.pbtxt"], ModelConfig())
    assert config.name == resource.served_name
    assert config.parameters["system_prompt"].string_value == resource.spec.chat.system_prompt


@patient
@example({"model": {"source": "pvc://0"}, "scheduling": {"affinity": {"more": 2**64}}})
@given(SPECS)
def test_children_are_named_owned_and_once_applied_left_alone(spec: Json) -> None:
    found = rendered(spec)
    if found is None:
        return
    resource, made = found
    for child in made.children:
        metadata = child["metadata"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", metadata["name"])
        assert metadata["ownerReferences"][0]["uid"] == resource.uid
        assert metadata["labels"][naming.UID_LABEL] == resource.uid
        manifest = with_applied_hash(child)
        assert holds(json.loads(json.dumps(manifest)), manifest)


@patient
@given(SPECS)
def test_a_later_operator_holds_back_what_it_would_render_otherwise(spec: Json) -> None:
    found = rendered(spec)
    if found is None:
        return
    resource, before = found
    live: dict[tuple[str, str], Any] = {
        (each["kind"], each["metadata"]["name"]): each
        for each in (*before.children, before.backend)
        if each is not None
    }
    later = desired(resource, Settings(), backend_files({**SOURCES, "model.py": "# later\n"}))
    kept = held_back(resource, later, live)
    wanted = later if resource.spec.update_policy == "Always" else before
    assert kept.template_hash == wanted.template_hash
