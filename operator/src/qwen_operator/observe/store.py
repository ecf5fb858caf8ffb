"""The last seen state of everything we watch: fed by watches, sweeps and our own writes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.cluster.protocol import CONFIG_MAP, POD, QWEN, Kind
from qwen_operator.naming import Key
from qwen_operator.observe.slimming import is_alike, slim

Json = dict[str, Any]
Uid = str
Place = tuple[str, Uid]


def key_of(body: Mapping[str, Any]) -> Key | None:
    """Which QwenDeployment an object belongs to, or None if to none of ours."""
    metadata = body["metadata"]
    namespace = metadata.get("namespace")
    if body.get("kind") == naming.KIND:
        return Key(namespace, metadata["name"])
    name = (metadata.get("annotations") or {}).get(naming.OWNER_ANNOTATION)
    return Key(namespace, name) if namespace and name else None


def owner_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The reference to an object's controller; empty where it has none."""
    references: list[Mapping[str, Any]] = body["metadata"].get("ownerReferences") or []
    return next((each for each in references if each.get("controller")), {})


def version_of(body: Mapping[str, Any]) -> int:
    """The object's resourceVersion as a number: newer is greater, within one object."""
    text = str(body["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0


_MOST_GONE = 4096
"""Ends that are remembered: no answer or page is on its way for longer than these take."""


def is_for_all(body: Mapping[str, Any]) -> bool:
    """Whether an object is nobody's own, but for all resources of its namespace."""
    name = body["metadata"]["name"]
    return body.get("kind") == CONFIG_MAP.kind and name.startswith(naming.BACKEND_PREFIX)


def _discard(index: dict[Any, set[Place]], entry: str | Key, place: Place) -> None:
    members = index.get(entry, set())
    members.discard(place)
    if not members:
        index.pop(entry, None)


class Store:
    """Objects by kind and uid, and by the QwenDeployment that they belong to.

    What a namespace's resources share belongs to each of them: news of it are news for all.
    """

    def __init__(self) -> None:
        self._objects: dict[Place, Json] = {}
        self._by_key: dict[Key, set[Place]] = {}
        self._for_all: dict[str, set[Place]] = {}
        self._gone: dict[Uid, int] = {}

    def _concerned(self, body: Mapping[str, Any]) -> list[Key]:
        if is_for_all(body):
            namespace = body["metadata"]["namespace"]
            return [key for key in self._by_key if key.namespace == namespace]
        key = key_of(body)
        return [] if key is None else [key]

    def put(self, body: Mapping[str, Any]) -> list[Key]:
        """Remember an object unless a newer state of it is known; return whose it is if news.

        A state that differs from the one before in nothing that is kept is none.
        """
        key, for_all = key_of(body), is_for_all(body)
        place = (body["kind"], body["metadata"]["uid"])
        if key is None and not for_all:
            return []
        known = self._objects.get(place)
        # An answer or a list may be older than the event that told of the object's end.
        newest = self._gone.get(place[1], -1) if known is None else version_of(known)
        if newest >= version_of(body):
            return []
        now = self._objects[place] = slim(body, known)
        if for_all:
            self._for_all.setdefault(body["metadata"]["namespace"], set()).add(place)
        elif key is not None:
            self._by_key.setdefault(key, set()).add(place)
        # A Deployment's counts change several times while it rolls out, and nobody reads them.
        return [] if known is not None and is_alike(known, now) else self._concerned(body)

    def drop(self, body: Mapping[str, Any]) -> list[Key]:
        """Forget an object that left us, in this state; return whose it was if it was known."""
        place = (body["kind"], body["metadata"]["uid"])
        self._gone[place[1]] = version_of(body)
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]
        return self._forget(place)

    def _forget(self, place: Place) -> list[Key]:
        known = self._objects.pop(place, None)
        if known is None:
            return []
        if is_for_all(known):
            _discard(self._for_all, known["metadata"]["namespace"], place)
        elif (key := key_of(known)) is not None:
            _discard(self._by_key, key, place)
            return [key]
        return self._concerned(known)

    def known(self, kind: Kind, namespace: str | None) -> set[Uid]:
        """The uids of all objects of a kind in one namespace or in all."""
        return {
            uid
            for (each, uid), body in self._objects.items()
            if each == kind.kind and namespace in {None, body["metadata"]["namespace"]}
        }

    def forget(self, kind: Kind, uids: Iterable[Uid]) -> list[Key]:
        """Forget objects that a full list did not hold; return whose they were."""
        return [key for uid in uids for key in self._forget((kind.kind, uid))]

    def keys(self) -> set[Key]:
        """Every QwenDeployment that something is known of."""
        return set(self._by_key)

    def namespaces(self) -> set[str]:
        """Where something is that resources share."""
        return set(self._for_all)

    def for_all(self, namespace: str) -> list[Json]:
        """What the resources of a namespace share."""
        return [self._objects[place] for place in self._for_all.get(namespace, ())]

    def within(self, namespace: str, *kinds: Kind) -> Iterator[Json]:
        """Every object of some kinds that belongs to a QwenDeployment of a namespace."""
        names = {kind.kind for kind in kinds}
        for key, places in self._by_key.items():
            if key.namespace == namespace:
                yield from (self._objects[place] for place in places if place[0] in names)

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

    def one(self, kind: Kind, uid: Uid) -> Json | None:
        """One object, or None if it is not known."""
        return self._objects.get((kind.kind, uid))

    def pods(self) -> list[Json]:
        """Every model pod."""
        return [each for (kind, _), each in self._objects.items() if kind == POD.kind]
