"""What the API server asks of `metadata`, whatever the kind."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from qwenctl.checks.findings import Finding, Origin, Where, dotted
from qwenctl.checks.structure import violations, without_nulls

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_OWNER = {
    "type": "object",
    "properties": {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "name": _TEXT,
        "uid": _TEXT,
        "controller": {"type": "boolean"},
        "blockOwnerDeletion": {"type": "boolean"},
    },
}
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "generateName": _TEXT,
        "namespace": _TEXT,
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": _TEXT},
        "ownerReferences": {"type": "array", "items": _OWNER},
        # What the API server writes itself, as `kubectl get -o yaml` shows it.
        "uid": _TEXT,
        "resourceVersion": _TEXT,
        "selfLink": _TEXT,
        "creationTimestamp": _TEXT,
        "deletionTimestamp": _TEXT,
        "deletionGracePeriodSeconds": _WHOLE,
        "generation": _WHOLE,
        "managedFields": {"type": "array", "x-kubernetes-preserve-unknown-fields": True},
    },
}
"""ObjectMeta of apimachinery's meta/v1."""

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VERSION = re.compile(r"([^/]*/)?[^/]+")
_LONGEST_NAME = 253
_LONGEST_PART = 63
_ANNOTATION_BYTES = 256 * 1024
_PART_SAID = (
    f"at most {_LONGEST_PART} letters, digits, '-', '_' and '.', begun and ended with a letter or"
    " digit"
)


def _is_part(text: str) -> bool:
    return len(text) <= _LONGEST_PART and _PART.fullmatch(text) is not None


def _is_qualified(name: str) -> bool:
    prefix, slash, part = name.rpartition("/")
    fits = len(prefix) <= _LONGEST_NAME and _SUBDOMAIN.fullmatch(prefix) is not None
    return _is_part(part) and (fits or not slash)


def _said(where: Where, words: str) -> Finding:
    return Finding(where, f"{dotted(where)}: {words}", Origin.api_server)


def _name(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    name, prefix = metadata.get("name") or "", metadata.get("generateName") or ""
    # Letters are added to a prefix, so it may end in a dash.
    begun = f"{prefix[:-2]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix
    if prefix and not _SUBDOMAIN.fullmatch(begun):
        yield _said(("metadata", "generateName"), f"{prefix!r} cannot begin a name")
    if prefix and not name:
        return
    if not _SUBDOMAIN.fullmatch(name) or len(name) > _LONGEST_NAME:
        given = f"{name!r} is not a name" if name else "is missing"
        yield _said(
            ("metadata", "name"),
            f"{given}; lower-case letters, digits, '-' and '.', at most {_LONGEST_NAME}"
            " characters, begun and ended with a letter or digit",
        )


def _keys(metadata: Mapping[str, Any], kind: str) -> Iterator[Finding]:
    # Of annotations the API server reads the key as if it were written small.
    read: Callable[[str], str] = str.lower if kind == "annotations" else str
    for key in metadata.get(kind) or {}:
        if not _is_qualified(read(key)):
            words = f"{key!r} is not a key: {_PART_SAID}, perhaps after a domain and '/'"
            yield _said(("metadata", kind, key), words)


def _contents(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    namespace = metadata.get("namespace") or ""
    if namespace and (len(namespace) > _LONGEST_PART or not _NAMESPACE.fullmatch(namespace)):
        yield _said(("metadata", "namespace"), f"{namespace!r} is not a namespace's name")
    yield from _keys(metadata, "labels")
    yield from _keys(metadata, "annotations")
    for key, value in (metadata.get("labels") or {}).items():
        if value and not _is_part(value):
            yield _said(("metadata", "labels", key), f"{value!r} is not a value: {_PART_SAID}")
    annotations = metadata.get("annotations") or {}
    size = sum(len(each.encode()) for pair in annotations.items() for each in pair if each)
    if size > _ANNOTATION_BYTES:
        words = f"{size} bytes in all, at most {_ANNOTATION_BYTES} are allowed"
        yield _said(("metadata", "annotations"), words)
    for number, each in enumerate(metadata.get("finalizers") or ()):
        if not _is_qualified(each or ""):
            words = f"{each!r} is not a finalizer's name, such as example.com/name"
            yield _said(("metadata", "finalizers", number), words)


def _owners(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    owners = metadata.get("ownerReferences") or ()
    for number, each in enumerate(owners):
        place = ("metadata", "ownerReferences", number)
        for name in ("kind", "name", "uid"):
            if not each.get(name):
                yield _said((*place, name), "is required and missing")
        version = each.get("apiVersion") or ""
        if not _VERSION.fullmatch(version):
            yield _said((*place, "apiVersion"), f"{version!r} is no version, such as apps/v1")
    if sum(each.get("controller") is True for each in owners) > 1:
        yield _said(("metadata", "ownerReferences"), "only one can be the controller")


def _as_read(given: Mapping[str, Any]) -> dict[str, Any]:
    """What Go reads: a null sets nothing, in a map of texts neither."""
    made: dict[str, Any] = without_nulls(_SCHEMA, given)
    for kind in ("labels", "annotations"):
        if isinstance(held := made.get(kind), dict):
            made[kind] = {key: value for key, value in held.items() if value is not None}
    return made


def wrong_metadata(body: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything that is wrong with an object's metadata."""
    given = body.get("metadata")
    if not isinstance(given, dict):
        yield _said(("metadata",), "an object with a name is needed")
        return
    metadata = _as_read(given)
    found = list(violations(_SCHEMA, metadata, ("metadata",)))
    yield from found
    if not found:
        yield from _name(metadata)
        yield from _contents(metadata)
        yield from _owners(metadata)
