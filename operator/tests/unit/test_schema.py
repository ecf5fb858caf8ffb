"""The schema: made from the types, nothing lost on the way, and what is generated is up to date."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml

from qwen_operator import naming
from qwen_operator.api.resource import read_resource
from qwen_operator.api.schema import definition, fields, rules
from qwen_operator.cluster.protocol import EVENT, NODE, OWNED, POD, QWEN, RULES
from qwen_operator.status.reasons import Reason
from tests.unit.conftest import Bench
from tests.unit.stand_ins import Json, resource_body

ROOT = Path(__file__).resolve().parents[3]
SCHEMA: Json = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC, STATUS = SCHEMA["properties"]["spec"], SCHEMA["properties"]["status"]
RULES_OF_SPEC = list(rules(SPEC, "spec"))


def nodes(node: object, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(node, dict):
        yield path, node
        for key, child in node.items():
            yield from nodes(child, f"{path}.{key}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from nodes(child, f"{path}[{number}]")


def node_at(path: str) -> Mapping[str, Any]:
    node: Mapping[str, Any] = SPEC
    for name in path.split(".")[1:]:
        node = node["properties"][name.removesuffix("[]")]
        node = node["items"] if name.endswith("[]") else node
    return node


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "operator" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_is_left_that_a_structural_schema_may_not_hold() -> None:
    for path, node in nodes(SCHEMA):
        assert "$ref" not in node, path
        assert "$defs" not in node, path
        assert "anyOf" not in node, path
        assert node.get("additionalProperties") is not False, path


@pytest.mark.parametrize(("path", "field"), [*fields(SPEC, "spec"), *fields(STATUS, "status")])
def test_every_field_has_a_type_and_a_description(path: str, field: Mapping[str, Any]) -> None:
    assert field.get("type") in {"string", "integer", "number", "boolean", "array", "object"}, path
    assert len(field.get("description", "")) > 5, path


def test_every_text_and_list_of_the_spec_is_bounded() -> None:
    for path, field in fields(SPEC, "spec"):
        if field["type"] == "string":
            assert "enum" in field or "maxLength" in field, path
        if field["type"] == "array":
            assert "maxItems" in field, path
        if field["type"] in {"integer", "number"}:
            assert "enum" in field or {"minimum", "maximum"} <= field.keys(), path


@pytest.mark.parametrize(("path", "rule"), RULES_OF_SPEC, ids=lambda each: str(each)[:60])
def test_every_field_that_a_rule_names_exists(path: str, rule: Mapping[str, str]) -> None:
    guarded = node_at(path)
    named = re.findall(r"self((?:\.[A-Za-z]+(?!\w*\())+)", rule["rule"])
    assert named or "self.matches(" in rule["rule"]
    for each in [*named, *([rule["fieldPath"]] if "fieldPath" in rule else [])]:
        node = guarded
        for name in each.split(".")[1:]:
            assert name in node["properties"], f"{path}{each}"
            node = node["properties"][name]
    for each in re.findall(r"spec(?:\.[A-Za-z]+)+", rule["message"]):
        assert node_at(each), each


def test_there_are_rules_at_all() -> None:
    assert len({each["rule"] for _, each in RULES_OF_SPEC}) >= 25


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.name)
def test_every_example_meets_schema_and_types(path: Path) -> None:
    for body in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        if body["kind"] != naming.KIND:
            continue
        jsonschema.validate(body, SCHEMA)
        body["metadata"] |= {"namespace": "models", "uid": "u"}
        read_resource(body)


async def test_a_written_status_meets_its_schema(bench: Bench) -> None:
    bench.add(resource_body(engine={"gpuMemoryUtilization": 7}))
    await bench.once()
    bench.add(resource_body("other"))
    await bench.once("other")
    for name in ("qwen", "other"):
        status = bench.cluster.resource(name)["status"]
        strict = {**STATUS, "additionalProperties": False}
        jsonschema.validate(status, strict)
        condition = {**STATUS["properties"]["conditions"]["items"], "additionalProperties": False}
        for each in status["conditions"]:
            jsonschema.validate(each, condition)


def test_defaults_are_written_out_for_objects_that_require_nothing() -> None:
    engine = node_at("spec.engine")
    assert engine["default"]["dtype"] == "auto"
    jsonschema.validate(engine["default"], engine)
    assert "default" not in node_at("spec.model")


def test_the_api_server_puts_nothing_into_a_status() -> None:
    """A default there is a difference to what was written, and each pass would write it away."""
    defaulted = {path for path, node in nodes(STATUS) if "default" in node}
    assert defaulted == {".properties.conditions"}, "which every status has"


def test_columns_show_fields_that_exist() -> None:
    for column in definition()["spec"]["versions"][0]["additionalPrinterColumns"]:
        where = column["jsonPath"].split("[")[0].split(".")[1:]
        if where[0] == "metadata":
            continue
        node = SCHEMA
        for name in where:
            node = node["properties"][name]


def test_what_is_generated_is_up_to_date() -> None:
    for path, content in generator().outputs().items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name}: run `make generate`"


def test_the_generator_can_check() -> None:
    script = str(ROOT / "operator" / "generate.py")
    done = subprocess.run(
        [sys.executable, script, "--check"],
        env={"PYTHONPATH": str(ROOT / "operator" / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_every_reason_is_documented() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert all(f"`{reason.name}`" in page for reason in Reason)


def granted(kind: str, sub: str = "") -> set[str]:
    return {verb for each, at, verbs in RULES if (each.kind, at) == (kind, sub) for verb in verbs}


def test_the_role_allows_what_the_operator_calls_and_no_more() -> None:
    # Server-side apply needs create too, where the object is not there yet.
    for kind in OWNED:
        assert granted(kind.kind) == {"create", "delete", "get", "list", "patch", "watch"}
    assert granted(QWEN.kind) == {"list", "watch"}
    assert granted(QWEN.kind, "/status") == {"patch"}
    assert granted(POD.kind) == {"list", "watch"}
    assert granted(EVENT.kind) == {"create", "get", "list", "patch"}
    assert granted(NODE.kind) == {"list"}
    assert len(RULES) == len(OWNED) + 5


VERBS = {
    "apply": "patch",
    "merge": "patch",
    "create": "create",
    "delete": "delete",
    "get": "get",
    "list": "list",
}


async def test_every_call_of_a_passs_life_is_allowed_by_the_role(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    body = bench.cluster.resource()
    bench.add({**body, "spec": {**body["spec"], "engine": {"maxModelLen": 5}, "suspend": True}})
    await bench.once()
    assert {verb for verb, _, _ in bench.cluster.calls} == {*VERBS, "apply_status"} - {
        "list",
        "merge",
    }
    for verb, kind, _ in bench.cluster.calls:
        if verb == "apply_status":
            assert "patch" in granted(kind, "/status")
        else:
            assert VERBS[verb] in granted(kind), (verb, kind)
