"""What stands in for a cluster and for model pods, at the two protocols where unit tests end."""

import copy
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.cluster.protocol import QWEN, Kind, Page
from qwen_operator.desired.repository import backend_files
from qwen_operator.errors import Gone, OperatorError, Refused, Unreachable
from qwen_operator.facts import Progress
from qwen_operator.triton.metrics import Reading

Json = dict[str, Any]
Place = tuple[str, str, str]
Calls = list[tuple[str, str, str]]
Bodies = list[Json]

NOW = "2026-01-02T03:04:05Z"
SOURCES = {"model.py": "# the model\n", "wire.py": "# a module beside it\n"}
BACKEND = backend_files(SOURCES)
UID = "11111111-2222-3333-4444-555555555555"


def resource_body(name: str = "qwen", **spec: Any) -> Json:
    """A QwenDeployment as the API server would show it."""
    return {
        "apiVersion": naming.API_VERSION,
        "kind": naming.KIND,
        "metadata": {
            "name": name,
            "namespace": "models",
            "uid": UID,
            "generation": 1,
            "resourceVersion": "1",
        },
        "spec": {"model": {"source": "hf://Qwen/Qwen1.5-1.8B-Chat"}, **spec},
    }


def _merged(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return copy.deepcopy(over)
    both = {key: _merged(under.get(key), value) for key, value in over.items()}
    return {**copy.deepcopy(under), **both}


def renumbered(known: Json, applied: Json) -> bool:
    """Whether server-side apply, which tells ports apart by number, would double a name."""
    ours, theirs = (
        {each["name"]: each["port"] for each in body.get("spec", {}).get("ports") or ()}
        for body in (applied, known)
    )
    return any(ours.get(name, port) != port for name, port in theirs.items())


def _leaves(body: Json, above: str = "") -> Iterator[str]:
    for key, value in body.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")


_DEFAULTS: Mapping[str, Json] = {
    "Service": {"spec": {"clusterIP": "10.0.0.7", "sessionAffinity": "None"}},
    "Deployment": {"spec": {"template": {"spec": {"restartPolicy": "Always"}}}},
}
"""What the API server adds of its own to what is applied."""


class InMemoryCluster:
    """`cluster.protocol.Cluster` with versions, uids, preconditions and a list of all calls.

    Attributes:
        calls: (verb, kind, name) in order.
        refusals: (verb, kind) → the error that such a call ends in.
        listener: told of every change as a watch would: event type and object.
        undeclared: fields of the status that its definition does not have, as "startup.pod".
        refuses_versions: it takes no version for what does not exist.
    """

    def __init__(self) -> None:
        self.calls: Calls = []
        self.refusals: dict[tuple[str, str], OperatorError] = {}
        self.refuses_versions = False
        self.listener: Callable[[str, Json], object] = lambda _kind, _body: None
        self.undeclared: set[str] = set()
        self._objects: dict[Place, Json] = {}
        self._version = 100

    def _count(self) -> str:
        self._version += 1
        return str(self._version)

    def _called(self, verb: str, kind: str, name: str) -> None:
        self.calls.append((verb, kind, name))
        if (refusal := self.refusals.get((verb, kind))) is not None:
            raise refusal

    def put(self, body: Json) -> Json:
        """Somebody else creates or changes an object."""
        metadata = body["metadata"]
        place = (body["kind"], metadata["namespace"], metadata["name"])
        fresh = {"uid": f"uid-{len(self._objects)}-{self._version}"}
        body = {**body, "metadata": {**fresh, **metadata, "resourceVersion": self._count()}}
        known = self._objects.get(place, body)
        if body["kind"] == naming.KIND and known["spec"] != body["spec"]:
            # As a real one: every change of the spec is another generation.
            older = (known["metadata"]["generation"] + 1, body["metadata"]["generation"])
            body["metadata"]["generation"] = max(older)
        event = "MODIFIED" if place in self._objects else "ADDED"
        self._objects[place] = body
        self.listener(event, copy.deepcopy(body))
        return body

    def take(self, kind: Kind, name: str, namespace: str = "models") -> Json | None:
        """Somebody else deletes an object."""
        body = self._objects.pop((kind.kind, namespace, name), None)
        if body is not None:
            self.listener("DELETED", copy.deepcopy(body))
        return body

    def all(self, kind: Kind) -> Bodies:
        """Every object of a kind, as it stands."""
        return [copy.deepcopy(each) for each in self._objects.values() if each["kind"] == kind.kind]

    def one(self, kind: Kind, name: str, namespace: str = "models") -> Json:
        """One object, as it stands."""
        return copy.deepcopy(self._objects[(kind.kind, namespace, name)])

    async def apply(self, manifest: Json, *, new: bool = False) -> Json:
        """See `protocol.Cluster`."""
        metadata = manifest["metadata"]
        place = (manifest["kind"], metadata["namespace"], metadata["name"])
        self._called("apply", manifest["kind"], metadata["name"])
        known = self._objects.get(place)
        if new and (known is not None or self.refuses_versions):
            raise Gone(f"{metadata['name']} exists")
        if known is not None and renumbered(known, manifest):
            raise Refused("422: Service is invalid: duplicate value of spec.ports name")
        kept = {} if known is None else {"status": known.get("status", {})}
        given = {key: known["metadata"][key] for key in ("uid", "resourceVersion")} if known else {}
        wanted = _merged(_DEFAULTS.get(manifest["kind"], {}), manifest)
        body = {**kept, **wanted, "metadata": {**wanted["metadata"], **given}}
        if known != body:
            self.put(body)
        return copy.deepcopy(self._objects[place])

    async def apply_status(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        metadata = manifest["metadata"]
        self._called("apply_status", manifest["kind"], metadata["name"])
        if unknown := sorted(self.undeclared & set(_leaves(manifest["status"]))):
            # In the words of a real one.
            told = [f".status.{each}: field not declared in schema" for each in unknown]
            words = "errors:\n  " + "\n  ".join(told) if told[1:] else told[0]
            raise Unreachable(f"500: failed to create typed patch object (models/qwen): {words}")
        known = self._objects.get((manifest["kind"], metadata["namespace"], metadata["name"]))
        # As a real one: the uid is not looked at.
        if known is None or known["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise Gone(f"{metadata['name']} is not there, or not of that version")
        if known.get("status") == manifest["status"]:
            return copy.deepcopy(known)
        return copy.deepcopy(self.put({**known, "status": copy.deepcopy(manifest["status"])}))

    async def merge(self, manifest: Json, change: Json) -> Json:
        """See `protocol.Cluster`."""
        metadata = manifest["metadata"]
        place = (manifest["kind"], metadata["namespace"], metadata["name"])
        self._called("merge", manifest["kind"], metadata["name"])
        known = self._objects.get(place)
        seen = change["metadata"].pop("resourceVersion")
        if known is None or seen != known["metadata"]["resourceVersion"]:
            raise Gone(f"{metadata['name']} is not there, or not of that version")
        return copy.deepcopy(self.put(_merged(known, change)))

    async def delete(self, kind: Kind, manifest: Json) -> None:
        """See `protocol.Cluster`."""
        metadata = manifest["metadata"]
        self._called("delete", kind.kind, metadata["name"])
        known = self._objects.get((kind.kind, metadata["namespace"], metadata["name"]))
        if known is None or known["metadata"]["uid"] != metadata["uid"]:
            raise Gone(f"{metadata['name']} is not there")
        self.take(kind, metadata["name"], metadata["namespace"])

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """See `protocol.Cluster`."""
        self._called("get", kind.kind, name)
        if (kind.kind, namespace, name) not in self._objects:
            raise Gone(f"{kind.kind} {name} is not there")
        return self.one(kind, name, namespace)

    async def pages(
        self, kind: Kind, namespace: str | None, selector: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """See `protocol.Cluster`; two objects a page, and of fields it knows name and node."""
        field, _, named = fields.partition("=")
        assert field in {"", "metadata.name", "spec.nodeName"}
        self._called("list", kind.kind, named or namespace or "")
        label, _, value = selector.partition("=")
        found = [
            each
            for each in self.all(kind)
            if namespace in {None, each["metadata"]["namespace"]}
            and named in {"", each["metadata"]["name"], each.get("spec", {}).get("nodeName")}
            and (not selector or each["metadata"].get("labels", {}).get(label) == value)
        ]
        for start in range(0, max(1, len(found)), 2):
            yield Page(found[start : start + 2], str(self._version))

    async def watch(
        self, kind: Kind, namespace: str | None, selector: str, version: str
    ) -> AsyncIterator[Json]:
        """See `protocol.Cluster`; `listener` tells of everything, and this of nothing."""
        self._called("watch", kind.kind, namespace or "")
        assert version
        for each in [kind.kind, selector][2:]:
            yield {"type": each}

    async def create(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        metadata = manifest["metadata"]
        name = metadata.get("name") or f"{metadata['generateName']}{self._count()}"
        self._called("create", manifest["kind"], name)
        if (manifest["kind"], metadata["namespace"], name) in self._objects:
            raise Gone(f"{name} exists")
        return self.put({**manifest, "metadata": {**metadata, "name": name}})

    async def replace(self, manifest: Json) -> Json:
        """See `protocol.Cluster`."""
        metadata = manifest["metadata"]
        self._called("replace", manifest["kind"], metadata["name"])
        known = self._objects.get((manifest["kind"], metadata["namespace"], metadata["name"]))
        if known is None or known["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise Gone(f"{metadata['name']} is not there, or not of that version")
        return copy.deepcopy(self.put(manifest))

    def resource(self, name: str = "qwen") -> Json:
        """A QwenDeployment as it stands."""
        return self.one(QWEN, name)

    def writes(self) -> Calls:
        """All calls that could change something."""
        return [each for each in self.calls if each[0] not in {"get", "list"}]


class ScriptedPods:
    """`triton.metrics.Scraper` whose answers a test sets.

    Attributes:
        readings: address → what :8002 says; None is no usable answer.
        progresses: address → what :9000 says of a start.
        offered: address → what Triton says on :8000; it takes requests where nothing is said.
        asked_offers: address and model of every such question, in order.
        asked: every address that was read, in order.
        asked_progress: every address that was asked how far it is, in order.
    """

    def __init__(self) -> None:
        self.readings: dict[str, Reading | None] = {}
        self.progresses: dict[str, Progress] = {}
        self.offered: dict[str, bool | None] = {}
        self.asked_offers: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.asked_progress: list[str] = []

    async def read(self, address: str) -> Reading | None:
        """See `Scraper`."""
        self.asked.append(address)
        return self.readings.get(address)

    async def progress(self, address: str) -> Progress | None:
        """See `Scraper`."""
        self.asked_progress.append(address)
        return self.progresses.get(address)

    async def offers(self, address: str, model: str) -> bool | None:
        """See `Scraper`."""
        self.asked_offers.append((address, model))
        return self.offered.get(address, True)


class HandClock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
