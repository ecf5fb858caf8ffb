"""The CustomResourceDefinition, made from the Python types: the only source of its schema."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from qwen_operator import naming
from qwen_operator.api.base import RULES_KEY, SAID_KEY, rule
from qwen_operator.api.status import Status
from qwen_operator.api.v1alpha1 import Spec

Json = dict[str, Any]

# What pydantic writes and a structural schema may not hold.
_DROPPED = {"title", "$defs", "additionalProperties"}


def _nullable_inner(node: Mapping[str, Any]) -> Json | None:
    options = [each for each in node.get("anyOf", ()) if each != {"type": "null"}]
    return dict(options[0]) if "anyOf" in node and len(options) == 1 else None


def _structural(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Json:
    """One node of pydantic's JSON schema as Kubernetes' structural schema writes it."""
    merged = dict(node)
    if (inner := _nullable_inner(merged)) is not None:
        outer = {k: v for k, v in merged.items() if k not in {"anyOf", "default"}}
        merged = {**inner, **outer}
    if (pointer := merged.pop("$ref", None)) is not None:
        merged = {**definitions[pointer.removeprefix("#/$defs/")], **merged}
    values = merged.get("additionalProperties")
    made = {key: value for key, value in merged.items() if key not in _DROPPED}
    if "description" in made:
        made["description"] = re.sub(r"\s+", " ", made["description"]).strip()
    if (said := made.pop(SAID_KEY, None)) is not None:
        # The API server checks no rule where a pattern has failed, and prints the pattern.
        told = "'" + said.replace("'", "\\'") + "; given: ' + self"
        fits = rule(f"self.matches(r'{made.pop('pattern')}')", said)
        made[RULES_KEY] = [{**fits, "messageExpression": told}]
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if "properties" in made:
        made["properties"] = {
            name: _structural(child, definitions) for name, child in made["properties"].items()
        }
        _default_when_children_do(made)
    elif isinstance(values, dict) and values:
        made["additionalProperties"] = _structural(values, definitions)
    elif made.get("type") == "object":
        made["x-kubernetes-preserve-unknown-fields"] = True
    if "items" in made:
        made["items"] = _structural(made["items"], definitions)
    return made


def _default_when_children_do(node: Json) -> None:
    """Default an object that requires nothing to its fields' defaults.

    Written out, not {}: the API server evaluates CEL rules on a default as it stands.
    """
    for name, child in node["properties"].items():
        inner = {
            field: each["default"]
            for field, each in child.get("properties", {}).items()
            if "default" in each
        }
        if inner and not child.get("required") and name not in node.get("required", ()):
            child["default"] = inner


def _schema(model: type[BaseModel]) -> Json:
    whole = model.model_json_schema(by_alias=True, mode="validation")
    return _structural(whole, whole.get("$defs", {}))


COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 0),
    ("Replicas", "string", ".status.readyReplicas", 0),
    ("Desired", "integer", ".spec.replicas", 0),
    ("Model", "string", ".spec.model.source", 0),
    ("GPUs", "integer", ".spec.resources.gpus", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Image", "string", ".status.image", 1),
    ("Endpoint", "string", ".status.endpoints.http", 1),
)


def definition() -> Json:
    """The CustomResourceDefinition as it is applied."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{naming.PLURAL}.{naming.GROUP}"},
        "spec": {
            "group": naming.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": naming.KIND,
                "listKind": f"{naming.KIND}List",
                "plural": naming.PLURAL,
                "singular": naming.SINGULAR,
                "shortNames": [naming.SHORT],
                "categories": ["all", "ai"],
            },
            "versions": [
                {
                    "name": naming.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "priority": priority}
                        for name, kind, path, priority in COLUMNS
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "A Qwen chat model, served by Triton with vLLM inside.",
                            "required": ["spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": _schema(Spec),
                                "status": _schema(Status),
                            },
                        }
                    },
                }
            ],
        },
    }


def fields(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field below a schema node with its dotted path, in order: for the reference docs."""
    for name, child in node.get("properties", {}).items():
        where = f"{path}.{name}"
        yield where, child
        inner = child.get("items", child)
        yield from fields(inner, f"{where}[]" if "items" in child else where)


def rules(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Every CEL rule below a schema node with the path that it guards."""
    for each in node.get(RULES_KEY, ()):
        yield path, each
    for name, child in node.get("properties", {}).items():
        yield from rules(child, f"{path}.{name}")
    if "items" in node:
        yield from rules(node["items"], f"{path}[]")
