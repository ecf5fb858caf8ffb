"""What should exist for a resource, computed once for each generation of it."""

import pickle
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import Resource, read_resource
from qwen_operator.cluster.protocol import DEPLOYMENT, Json
from qwen_operator.desired.arguments import check_arguments, engine
from qwen_operator.desired.children import Desired, rendered, with_applied_hash
from qwen_operator.desired.held import held_back, runs_already
from qwen_operator.desired.repository import Files
from qwen_operator.desired.scale import scaled
from qwen_operator.fit.judging import Judgement, Verdict, judge
from qwen_operator.settings import Settings

_MOST = 32
"""Renderings that are kept as they are: of a resource that changes, several passes follow each
other. One takes 47 kB."""

_MOST_PACKED = 4096
"""Those that are kept packed besides, the last of each resource, in 5 kB: to unpack one takes
0.1 ms, to render it anew 0.6."""
_EFFORT = 1

_Place = tuple[str, str]
_Version = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pass works towards.

    Attributes:
        resource: what is asked for.
        wanted: what should exist for it.
        manifests: the children, with the digests of themselves that they are applied with.
        shared: what all resources of the namespace read, likewise; None where that is held back.
        fit: whether the model fits where the pods will run, if anybody says where.
    """

    resource: Resource
    wanted: Desired
    manifests: tuple[Json, ...]
    shared: Json | None
    fit: Judgement | None = None

    def is_hopeless(self, live: Mapping[_Place, Json]) -> bool:
        """Whether no pod should be started, since none could ever serve.

        Pods of this very spec that were started already prove more than any computation.
        """
        if self.fit is None or self.fit.verdict is not Verdict.DOES_NOT_FIT:
            return False
        deployment = live.get((DEPLOYMENT.kind, self.resource.child))
        return not self.resource.spec.engine.skip_fit_check and (
            deployment is None or _spec_hash(deployment) != _spec_hash(self.wanted.deployment)
        )


def _spec_hash(deployment: Mapping[str, Any]) -> str | None:
    annotations: Mapping[str, str] = deployment["metadata"].get("annotations") or {}
    return annotations.get(naming.SPEC_HASH_ANNOTATION)


class Plans:
    """Plans by uid and generation of the resource and number of replicas."""

    def __init__(self, settings: Settings, backend: Files) -> None:
        """Make one for one rendering: the operator's settings and the backend's source."""
        self._settings, self._backend = settings, backend
        self._made: OrderedDict[_Version, Plan] = OrderedDict()
        self._packed: OrderedDict[str, tuple[_Version, bytes]] = OrderedDict()
        self._read: OrderedDict[tuple[str, int], Resource] = OrderedDict()
        self._shared: dict[str, tuple[Json, Json]] = {}

    def _resource(self, body: Json) -> Resource:
        place = (body["metadata"]["uid"], int(body["metadata"].get("generation") or 0))
        if (found := self._read.get(place)) is None:
            found = self._read[place] = read_resource(body)
            if len(self._read) > _MOST:
                self._read.popitem(last=False)
        self._read.move_to_end(place)
        return found

    def _plan(self, resource: Resource, wanted: Desired, fit: Judgement | None) -> Plan:
        shared = None
        if wanted.backend is not None:
            namespace = resource.key.namespace
            # Of 100 kB, and the same for all.
            if namespace not in self._shared:
                self._shared[namespace] = wanted.backend, with_applied_hash(wanted.backend)
            shared = self._shared[namespace][1]
        manifests = tuple(map(with_applied_hash, wanted.children))
        return Plan(resource, wanted, manifests, shared, fit)

    def _rendered(self, resource: Resource) -> Plan:
        place = (resource.uid, resource.generation, resource.spec.replicas)
        if (found := self._made.get(place) or self._unpacked(place)) is None:
            wanted = rendered(resource, self._settings, self._backend)
            version, everywhere = engine(resource, wanted.image).version, self._settings.gpu_product
            fit = judge(resource.spec, version, everywhere)
            found = self._plan(resource, wanted, fit)
        self._made[place] = found
        self._made.move_to_end(place)
        if len(self._made) > _MOST:
            self._pack(*self._made.popitem(last=False))
        return found

    def _pack(self, place: _Version, plan: Plan) -> None:
        """Keep a rendering for later, without what all of its namespace have in common."""
        uid = place[0]
        if self._packed.get(uid, (None,))[0] != place:
            own = replace(plan, shared=None, wanted=replace(plan.wanted, backend=None))
            self._packed[uid] = place, zlib.compress(pickle.dumps(own), _EFFORT)
        self._packed.move_to_end(uid)
        if len(self._packed) > _MOST_PACKED:
            self._packed.popitem(last=False)

    def _unpacked(self, place: _Version) -> Plan | None:
        known, packed = self._packed.get(place[0], (None, b""))
        if known != place:
            return None
        own: Plan = pickle.loads(zlib.decompress(packed))  # noqa: S301 - of our own making
        backend, shared = self._shared[own.resource.key.namespace]
        return replace(own, shared=shared, wanted=replace(own.wanted, backend=backend))

    def plan(self, body: Json, live: Mapping[_Place, Json]) -> Plan:
        """What to work towards.

        Args:
            body: the QwenDeployment.
            live: (kind, name) → its children, and what its namespace shares, as they are.

        Raises:
            InvalidSpec: that cannot be.
        """
        written = self._resource(body)
        resource = scaled(written, live.get((DEPLOYMENT.kind, written.child)))
        found = self._rendered(resource)
        held = held_back(found.resource, found.wanted, live)
        if held is not found.wanted:
            return self._plan(resource, held, found.fit)
        if not runs_already(resource, held, live):
            # What runs was checked before it was made, by what was known then.
            check_arguments(resource, held.image)
        return found
