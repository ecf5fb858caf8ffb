"""What is kept of an object: what is read of it, and no more, in as little memory as it takes."""

import sys
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from qwen_operator import naming
from qwen_operator.cluster.protocol import CONFIG_MAP, DEPLOYMENT, POD, QWEN
from qwen_operator.desired.pod import config_maps

Json = dict[str, Any]

_READ_OF_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
)
_READ_OF_CHILDREN = (*_READ_OF_METADATA, "ownerReferences", "managedFields")
_READ_OF_TEMPLATE = (naming.TEMPLATE_HASH_ANNOTATION,)
_READ_OF_MANAGERS = ("manager", "time", "subresource")
_READ_OF_CONDITIONS = ("ReplicaFailure",)
_READ_OF_CONTAINERS = ("name", "image", "resources")
_READ_OF_POD_STATUS = ("phase", "reason", "message", "podIP", "conditions")
_OF_EACH_WRITE = ("resourceVersion", "managedFields")
_PACKED, _EFFORT = "packed", 1
_READ_OF_CONTAINER_STATUS = ("name", "state", "lastState", "restartCount")


def _shared(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value with its texts replaced by equal ones already held: a thousand alike cost one."""
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, dict):
        return {sys.intern(key): _shared(each) for key, each in value.items()}
    return [_shared(each) for each in value] if isinstance(value, list) else value


def condensed(body: Mapping[str, Any]) -> Json:
    """A ConfigMap with a digest in the place of its content; any other object as it is."""
    if body.get("kind") != CONFIG_MAP.kind:
        return dict(body)
    content = [body.get("data"), body.get("binaryData")]
    kept = {key: value for key, value in body.items() if key not in {"data", "binaryData"}}
    return {**kept, "content": naming.digest(content)}


def _chosen(body: Mapping[str, Any], fields: Iterable[str]) -> Json:
    return {key: body[key] for key in fields if key in body}


def _slim_pod(body: Mapping[str, Any]) -> Json:
    spec, status = body.get("spec", {}), body.get("status", {})
    return {
        **_chosen(body, ("apiVersion", "kind")),
        "metadata": _chosen(body["metadata"], _READ_OF_METADATA),
        "spec": {
            **_chosen(spec, ("nodeName",)),
            "volumes": [
                {"configMap": {"name": name}}
                for name in sorted(config_maps(spec.get("volumes") or ()))
            ],
            "containers": [
                _chosen(each, _READ_OF_CONTAINERS)
                for each in spec.get("containers") or ()
                if each.get("name") == naming.CONTAINER
            ],
        },
        "status": {
            **_chosen(status, _READ_OF_POD_STATUS),
            "containerStatuses": [
                _chosen(each, _READ_OF_CONTAINER_STATUS)
                for each in status.get("containerStatuses") or ()
            ],
        },
    }


def _read_conditions(deployment: Mapping[str, Any]) -> list[Json]:
    """How its roll-out goes is told by its pods; that none can be made, by nothing else."""
    told = deployment.get("status", {}).get("conditions") or ()
    return [dict(each) for each in told if each.get("type") in _READ_OF_CONDITIONS]


def _has_spec_of(known: Mapping[str, Any] | None, body: Mapping[str, Any]) -> bool:
    """Whether an older state holds this very specification: that of the same generation is."""
    generation = body["metadata"].get("generation")
    return (
        known is not None
        and generation is not None
        and known["metadata"].get("generation") == generation
    )


def _slim_deployment(body: Mapping[str, Any], known: Mapping[str, Any] | None) -> Json:
    """Its specification, most of it, is looked at only when it has changed: it is packed."""
    spec = body.get("spec", {})
    template = spec.get("template", {})
    names = sorted(config_maps(template.get("spec", {}).get("volumes") or ()))
    stamps = _chosen(template.get("metadata", {}).get("annotations") or {}, _READ_OF_TEMPLATE)
    if known is not None and _has_spec_of(known, body):
        packed = known[_PACKED]
    else:
        packed = zlib.compress(orjson.dumps(spec), _EFFORT)
    volumes = [{"configMap": {"name": name}} for name in names]
    kept = {"metadata": {"annotations": stamps}, "spec": {"volumes": volumes}}
    return {
        "spec": {**_chosen(spec, ("replicas",)), "template": kept},
        "status": {"conditions": _read_conditions(body)},
        _PACKED: packed,
    }


def unpacked(kept: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object with all of its specification; one that was not packed as it is."""
    packed = kept.get(_PACKED)
    return kept if packed is None else {**kept, "spec": orjson.loads(zlib.decompress(packed))}


def is_alike(known: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a newer state differs in nothing that is read of it, but that it is newer."""

    def read(body: Mapping[str, Any]) -> Iterable[Any]:
        yield {key: each for key, each in body.items() if key != "metadata"}
        yield {key: each for key, each in body["metadata"].items() if key not in _OF_EACH_WRITE}

    return all(one == other for one, other in zip(read(known), read(now), strict=True))


def slim(body: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> Json:
    """The object without what we never read, in as little memory as it takes.

    managedFields is often most of an object's size, the specification most of a pod's; what
    ConfigMaps hold is only compared.

    Args:
        body: the object.
        known: an older state of it; a specification of the same generation is the same.
    """
    kind = body["kind"]
    if kind == POD.kind:
        return _shared(_slim_pod(body))  # type: ignore[no-any-return]
    read = _READ_OF_METADATA if kind == QWEN.kind else _READ_OF_CHILDREN
    metadata = _chosen(body["metadata"], read)
    if "managedFields" in metadata:
        entries = metadata["managedFields"]
        metadata["managedFields"] = [_chosen(each, _READ_OF_MANAGERS) for each in entries]
    kept = {**condensed(body), "metadata": metadata}
    if kind == DEPLOYMENT.kind:
        kept |= _slim_deployment(body, known)
    elif known is not None and "spec" in known and _has_spec_of(known, body):
        return {**_shared({**kept, "spec": None}), "spec": known["spec"]}
    return _shared(kept)  # type: ignore[no-any-return]
