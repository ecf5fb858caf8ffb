"""The last seen state of everything we watch: fed by watches, sweeps and our own writes."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.cluster.protocol import POD, QWEN, Kind
from qwen_operator.naming import Key

Json = dict[str, Any]
Uid = str


def key_of(body: Mapping[str, Any]) -> Key | None:
    """Which QwenDeployment an object belongs to, or None if to none of ours."""
    metadata = body["metadata"]
    namespace = metadata.get("namespace")
    if body.get("kind") == naming.KIND:
        return Key(namespace, metadata["name"])
    name = (metadata.get("annotations") or {}).get(naming.OWNER_ANNOTATION)
    return Key(namespace, name) if namespace and name else None


def version_of(body: Mapping[str, Any]) -> int:
    """The object's resourceVersion as a number: newer is greater, within one object."""
    text = str(body["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0


_READ_OF_PODS = ("nodeName", "volumes")


def _shared(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value with its texts replaced by equal ones already held: a thousand alike cost one."""
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, Mapping):
        return {sys.intern(key): _shared(each) for key, each in value.items()}
    return [_shared(each) for each in value] if isinstance(value, list) else value


def slim(body: Mapping[str, Any]) -> Json:
    """The object without what we never read, in as little memory as it takes.

    managedFields is often most of an object's size, the specification most of a pod's; of a
    thousand ConfigMaps nearly all hold the same source files.
    """
    metadata = dict(body["metadata"])
    if entries := metadata.pop("managedFields", None):
        read = ("manager", "time", "subresource")
        metadata["managedFields"] = [
            {key: each[key] for key in read if key in each} for each in entries
        ]
    kept = {**body, "metadata": metadata}
    if body["kind"] == POD.kind and "spec" in body:
        kept["spec"] = {k: v for k, v in body["spec"].items() if k in _READ_OF_PODS}
    return {sys.intern(key): _shared(each) for key, each in kept.items()}


class Store:
    """Objects by kind and uid, and by the QwenDeployment that they belong to."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, Uid], Json] = {}
        self._by_key: dict[Key, set[tuple[str, Uid]]] = {}

    def put(self, body: Mapping[str, Any]) -> Key | None:
        """Remember an object unless a newer state of it is known; return whose it is if news."""
        key = key_of(body)
        if key is None:
            return None
        place = (body["kind"], body["metadata"]["uid"])
        known = self._objects.get(place)
        if known is not None and version_of(known) >= version_of(body):
            return None
        self._objects[place] = slim(body)
        self._by_key.setdefault(key, set()).add(place)
        return key

    def drop(self, body: Mapping[str, Any]) -> Key | None:
        """Forget an object; return whose it was if it was known."""
        place = (body["kind"], body["metadata"]["uid"])
        known = self._objects.pop(place, None)
        if known is None:
            return None
        key = key_of(known)
        if key is None:
            return None
        members = self._by_key.get(key, set())
        members.discard(place)
        if not members:
            self._by_key.pop(key, None)
        return key

    def replace(self, kind: Kind, bodies: Iterable[Mapping[str, Any]]) -> set[Key]:
        """Take a full list of a kind for the truth; return whose objects changed."""
        changed: set[Key] = set()
        listed: set[tuple[str, Uid]] = set()
        for body in bodies:
            listed.add((kind.kind, body["metadata"]["uid"]))
            if (key := self.put(body)) is not None:
                changed.add(key)
        ghosts = [
            each
            for place, each in self._objects.items()
            if place[0] == kind.kind and place not in listed
        ]
        changed |= {key for each in ghosts if (key := self.drop(each)) is not None}
        return changed

    def keys(self) -> set[Key]:
        """Every QwenDeployment that something is known of."""
        return set(self._by_key)

    def resource(self, key: Key) -> Json | None:
        """The QwenDeployment itself; of a re-created one the later."""
        return next(reversed(self.members(key, QWEN)), None)

    def members(self, key: Key, kind: Kind) -> list[Json]:
        """The objects of a kind that belong to a QwenDeployment, the latest written last."""
        places = self._by_key.get(key, set())
        found = [self._objects[place] for place in places if place[0] == kind.kind]
        return sorted(found, key=version_of)

    def reasons(self) -> Iterator[str]:
        """The reason of every QwenDeployment's Ready condition; Unknown before there is one."""
        for (kind, _), body in self._objects.items():
            if kind == QWEN.kind:
                conditions = body.get("status", {}).get("conditions") or ()
                ready = (each["reason"] for each in conditions if each["type"] == "Ready")
                yield next(ready, "Unknown")

    def pods(self) -> list[Json]:
        """Every model pod."""
        return [each for (kind, _), each in self._objects.items() if kind == POD.kind]
