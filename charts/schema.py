"""values.schema.json: what Helm holds a user's values against before it makes anything."""

from collections.abc import Iterable
from typing import Any, Final

from charts.values import Entry

Json = dict[str, Any]

_DECIMAL: Final = r"^[0-9]*\.[0-9]*[1-9][0-9]*$"
_LABEL: Final = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"

_KEY: Final = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
_OURS: Final = r"^(app\.kubernetes\.io|helm\.sh)/"
_QUANTITY: Final = r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$"


def _closed(*required: str, **properties: Json) -> Json:
    """An object of Kubernetes with these fields and no others."""
    needed = {"required": list(required)} if required else {"minProperties": 1}
    return {"type": "object", "additionalProperties": False, **needed, "properties": properties}


def _by_name(name: str, value: Json, reserved: str = "") -> Json:
    """A mapping of names to values, where reserved names have none.

    Not by `propertyNames`: Helm's validator then tells another value's place.
    """
    patterns = {name: value, **({reserved: {"type": "null"}} if reserved else {})}
    return {"type": "object", "additionalProperties": False, "patternProperties": patterns}


_TEXT: Final[Json] = {"type": "string"}
_LABEL_VALUE: Final[Json] = {"type": "string", "maxLength": 63, "pattern": _LABEL}
_OBJECT: Final[Json] = {"type": "object"}
_LIST: Final[Json] = {"type": "array", "items": _OBJECT}
_AMOUNTS: Final[Json] = {"type": "object", "additionalProperties": {"$ref": "#/$defs/quantity"}}
_PEERS: Final[Json] = {"type": "array", "items": {"$ref": "#/$defs/peer"}}
_SELECTOR: Final = {
    **_closed(matchLabels=_OBJECT, matchExpressions=_LIST),
    "minProperties": 0,  # {} selects all
}
_BYTE: Final = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_CIDR: Final = {
    "type": "string",
    "pattern": rf"^({_BYTE}(\.{_BYTE}){{3}}/([12]?[0-9]|3[0-2])"
    r"|[0-9a-fA-F.]*:[0-9a-fA-F.:]*/([1-9]?[0-9]|1[01][0-9]|12[0-8]))$",
}

DEFINITIONS: Final[Json] = {
    "labels": {"title": "labels", **_by_name(_KEY, _LABEL_VALUE, reserved=_OURS)},
    "annotations": {"title": "annotations", **_by_name(_KEY, _TEXT)},
    "nodeLabels": {"title": "labels", **_by_name(_KEY, _LABEL_VALUE)},
    "alertLabels": {
        "title": "labels of Prometheus",
        **_by_name("^[A-Za-z_][A-Za-z0-9_]*$", _TEXT, reserved="^__"),
    },
    "namespace": {
        "title": "namespace",
        "type": "string",
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "maxLength": 63,
    },
    "name": {
        "title": "name",
        "type": "string",
        "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "maxLength": 253,
    },
    "image": {"title": "image", "type": "string", "pattern": r"^[A-Za-z0-9][-A-Za-z0-9._/:@]*$"},
    "quantity": {
        "title": "quantity",
        "type": ["string", "number"],
        "minimum": 0,
        "pattern": _QUANTITY,
    },
    "resources": {
        "title": "ResourceRequirements",
        **_closed(requests=_AMOUNTS, limits=_AMOUNTS, claims=_LIST),
        "minProperties": 0,
    },
    "toleration": {
        "title": "Toleration",
        **_closed(
            key=_TEXT,
            operator={"enum": ["Equal", "Exists", "Gt", "Lt"]},
            value=_TEXT,
            effect={"enum": ["NoExecute", "NoSchedule", "PreferNoSchedule"]},
            tolerationSeconds={"type": "integer"},
        ),
        "if": {"required": ["operator"], "properties": {"operator": {"const": "Exists"}}},
        "then": {"properties": {"value": {"maxLength": 0}}},
    },
    "affinity": {
        "title": "Affinity",
        **_closed(nodeAffinity=_OBJECT, podAffinity=_OBJECT, podAntiAffinity=_OBJECT),
        "minProperties": 0,
    },
    "variable": {
        "title": "EnvVar",
        **_closed(
            "name",
            name={"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            value=_TEXT,
            valueFrom={
                **_closed(
                    configMapKeyRef=_OBJECT,
                    fieldRef=_OBJECT,
                    resourceFieldRef=_OBJECT,
                    secretKeyRef=_OBJECT,
                ),
                "maxProperties": 1,
            },
        ),
        "maxProperties": 2,  # a value, or where it is from
    },
    "peer": {
        "title": "NetworkPolicyPeer",
        **_closed(
            ipBlock=_closed("cidr", cidr=_CIDR, **{"except": {"type": "array", "items": _CIDR}}),
            namespaceSelector=_SELECTOR,
            podSelector=_SELECTOR,
        ),
    },
    "egress": {"title": "NetworkPolicyEgressRule", **_closed(to=_PEERS, ports=_LIST)},
    "port": {"title": "port", "type": "integer", "minimum": 1, "maximum": 65535},
    "interval": {"title": "duration", "type": "string", "pattern": "^[1-9][0-9]*(ms|s|m)$"},
    "scrapeInterval": {
        "title": "seconds up to 60",
        "$comment": "helm --set makes texts of 0.5",
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 60},
            {"type": "string", "pattern": r"^[0-5]?[0-9]?\.[0-9]*[1-9][0-9]*$"},
        ],
    },
    "seconds": {
        "title": "seconds",
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": _DECIMAL},
        ],
    },
    "share": {
        "title": "share",
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            {"type": "string", "pattern": r"^0?\.[0-9]*[1-9][0-9]*$"},
        ],
    },
    "price": {
        "title": "price",
        "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DECIMAL}],
    },
}
"""Types that @schema lines refer to; the title is how the reference calls one."""

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


def _of_value(entry: Entry) -> Json:
    more = dict(entry.more)
    if "$ref" not in more and "type" not in more:
        more = {"type": _TYPES.get(type(entry.default), "object"), **more}
    return {"description": entry.meaning, **more}


def _of_group(members: Iterable[Entry], meaning: str = "") -> Json:
    properties = {each.path[-1]: property_of(each) for each in members}
    return {
        **({"description": meaning} if meaning else {}),
        "type": "object",
        "additionalProperties": False,
        # Defaults are merged in before; what is missing was set to null.
        "required": list(properties),
        "properties": properties,
    }


def property_of(entry: Entry) -> Json:
    """The schema of one value or group."""
    return _of_group(entry.members, entry.meaning) if entry.members else _of_value(entry)


def schema(values: Iterable[Entry]) -> Json:
    """The whole schema."""
    made = _of_group(values)
    # Of charts that have this one as a dependency; nothing here reads it.
    made["properties"]["global"] = {"type": "object"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Generated by `make generate` from values.yaml; do not edit.",
        **made,
        "$defs": DEFINITIONS,
    }
