"""Every QwenDeployment as it was last seen, for the passes, for /metrics and for the page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from qwen_operator import naming
from qwen_operator.cluster.protocol import DEPLOYMENT, POD, Json
from qwen_operator.facts import Engine, Facts, Outside, read_facts
from qwen_operator.naming import Key
from qwen_operator.observe.capacity import Capacity
from qwen_operator.observe.engines import Engines
from qwen_operator.observe.store import Store, owner_of
from qwen_operator.observe.warnings import Warnings


@dataclass(frozen=True, slots=True)
class Sight:
    """One resource as the store has it.

    Attributes:
        body: the QwenDeployment.
        deployment: its Deployment, empty while there is none.
        spec: what was asked for; read with care, an older definition may have let anything in.
        status: what the operator last wrote.
        who: namespace, name and the model's name in Triton.
        ready: the Ready condition, empty before there is one.
    """

    body: Mapping[str, Any]
    deployment: Mapping[str, Any]
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    who: tuple[str, str, str]
    ready: Mapping[str, Any]

    @property
    def wanted(self) -> int:
        """Pods that there should be, by the resource or its autoscaler."""
        asked = 0 if self.spec.get("suspend") else self.spec.get("replicas", 1)
        # The Deployment's, where there is one: an autoscaler may have set it.
        return int((self.deployment.get("spec") or {}).get("replicas", asked))

    @property
    def gpus(self) -> int:
        """GPUs that the existing pods ask for."""
        each = (self.spec.get("resources") or {}).get("gpus", 1)
        return int(each) * int(self.status.get("replicas") or 0)


def _sight(body: Mapping[str, Any], deployment: Mapping[str, Any]) -> Sight:
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    served = (spec.get("model") or {}).get("servedName")
    who = metadata["namespace"], metadata["name"], str(served or metadata["name"])
    conditions = status.get("conditions") or ()
    ready: Mapping[str, Any] = next((each for each in conditions if each["type"] == "Ready"), {})
    return Sight(body, deployment, spec, status, who, ready)


def sight(store: Store, key: Key) -> Sight | None:
    """One resource, or None where there is none."""
    body = store.resource(key)
    if body is None:
        return None
    deployments = store.members(key, DEPLOYMENT)
    return _sight(body, deployments[-1] if deployments else {})


def sights(store: Store) -> Iterator[Sight]:
    """Every resource, by namespace and name."""
    for key in sorted(store.keys()):
        if (found := sight(store, key)) is not None:
            yield found


def pods_of(store: Store, key: Key, uid: str) -> list[Json]:
    """The pods of a resource, not those of a predecessor of the same name."""
    return [
        each
        for each in store.members(key, POD)
        if each["metadata"].get("labels", {}).get(naming.UID_LABEL) == uid
    ]


class Watched(NamedTuple):
    """Where all that was seen is kept.

    Attributes:
        store: objects of the cluster.
        engines: what their pods' engines say.
        warnings: why pods do not start.
        capacity: what nodes lack for pods that wait.
    """

    store: Store
    engines: Engines
    warnings: Warnings
    capacity: Capacity


def facts_of(watched: Watched, key: Key, uid: str, model: str | None = None) -> Facts:
    """What was last seen of a resource's children, of their engines, and of why they wait.

    Args:
        watched: where that is kept.
        key: which resource.
        uid: its uid, for pods of a predecessor are not its own.
        model: what it serves, if that is known.
    """
    store, engines, warnings, capacity = watched
    deployments = [
        each for each in store.members(key, DEPLOYMENT) if owner_of(each).get("uid") == uid
    ]
    pods = pods_of(store, key, uid)
    read = engines.of(pods, model)
    outside = {
        uid: Outside(
            read.get(uid, Engine.UNKNOWN),
            warnings.of(uid),
            engines.progress_of(pod),
            capacity.of(pod),
            engines.has_door(pod),
        )
        for pod in pods
        if (uid := pod["metadata"]["uid"])
    }
    return read_facts(next(reversed(deployments), None), pods, outside)
