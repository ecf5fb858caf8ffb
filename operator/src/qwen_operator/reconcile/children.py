"""Children in the cluster: applied where they differ, pruned where nothing wants them."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import Resource
from qwen_operator.cluster.protocol import (
    BY_KIND,
    CONFIG_MAP,
    DEPLOYMENT,
    OWNED,
    POD,
    QWEN,
    SERVICE,
    Cluster,
    Json,
)
from qwen_operator.desired.drift import reclaimed
from qwen_operator.desired.pod import config_maps
from qwen_operator.errors import Gone, OperatorError, Unreachable
from qwen_operator.naming import Key
from qwen_operator.observe.disputes import Disputes, other_manager
from qwen_operator.observe.slimming import condensed
from qwen_operator.observe.store import Store, owner_of
from qwen_operator.reconcile.agreement import Agreement, applied_hash
from qwen_operator.reconcile.plans import Plan

log = logging.getLogger(__name__)

Place = tuple[str, str]

_SERVICES = 8
"""Services that are sent at once: an API server that is busy takes seconds for an address, and they
must not use up the connections that everything else needs."""


class Taken(Exception):
    """An object with a name that we need belongs to somebody else."""


class Disputed(Exception):
    """Somebody keeps changing an object of ours; `wait` seconds until it is set back again."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


def _place(manifest: Mapping[str, Any]) -> Place:
    return manifest["kind"], manifest["metadata"]["name"]


def _mounted(body: Mapping[str, Any]) -> set[str]:
    """Names of the ConfigMaps that a pod, or a Deployment's pods, read."""
    spec = body.get("spec", {})
    return config_maps((spec.get("template", {}).get("spec") or spec).get("volumes") or ())


class Children:
    """What exists for resources, and how it becomes what should."""

    def __init__(self, cluster: Cluster, store: Store, clock: Callable[[], float]) -> None:
        self._cluster, self._store = cluster, store
        self._disputes = Disputes(clock)
        self._sharing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._services = asyncio.Semaphore(_SERVICES)
        self._agreement = Agreement()
        self._corrections: defaultdict[Key, list[str]] = defaultdict(list)

    def live(self, key: Key, uid: str) -> dict[Place, Json]:
        """(kind, name) → what belongs to this resource or to all of its namespace."""
        mine = {place: each for place, each in self._all(key).items() if _owns(uid, each)}
        return mine | {_place(each): each for each in self._store.for_all(key.namespace)}

    def _all(self, key: Key) -> dict[Place, Json]:
        return {_place(each): each for kind in OWNED for each in self._store.members(key, kind)}

    def lacks(self, plan: Plan) -> bool:
        """Whether a child is not there that every state of the resource has."""
        live, lasting = self._all(plan.resource.key), {SERVICE.kind, DEPLOYMENT.kind}
        wanted = {_place(each) for each in plan.manifests if each["kind"] in lasting}
        return not wanted <= live.keys()

    async def apply(self, plan: Plan) -> None:
        """Make what exists hold what is wanted; nothing is sent where it does.

        Raises:
            Taken: a name is somebody else's.
            OperatorError: the API server did not do it.
        """
        if plan.shared is not None:
            await self._share(plan.shared)
        live = self._all(plan.resource.key)
        for manifest in plan.manifests:
            if (known := live.get(_place(manifest))) is not None:
                _check_owner(known, plan.resource)

        if all(self._agreement.holds(live.get(_place(each)), each) for each in plan.manifests):
            return

        async def look_for(service: Json) -> None:
            if _place(service) not in live and (found := await self._unseen(service)) is not None:
                _check_owner(found, plan.resource)
                live[_place(service)] = found

        async def settle(*manifests: Json) -> None:
            for each in manifests:
                await self._settle(plan.resource, each, live.get(_place(each)))

        files, services, others = _in_order(plan.manifests)
        # Pods are made only when their files are there, and only for a Service that can be ours.
        await _all_of(settle(*files), *map(look_for, services))
        # Nothing waits for a Service itself, whose address may take a while; nor does it go first.
        await _all_of(settle(*others), *map(settle, services))

    async def _settle(self, resource: Resource, manifest: Json, known: Json | None) -> None:
        """Apply one child unless it is so already, or is disputed just now."""
        key, place = resource.key, _place(manifest)
        if known is not None:
            if self._agreement.holds(known, manifest) or not self._disputes.may_correct(
                (key, *place)
            ):
                return
            log.info("%s: %s %s differs, applying", key, *place)
            if (change := reclaimed(known, manifest)) is not None:
                await self._cluster.merge(manifest, change)
            if resource.spec.autoscaling is not None:
                # An autoscaler may write between our look and this: then ours must fail.
                version = known["metadata"]["resourceVersion"]
                metadata = {**manifest["metadata"], "resourceVersion": version}
                manifest = {**manifest, "metadata": metadata}
        turn = self._services if manifest["kind"] == SERVICE.kind else contextlib.nullcontext()
        try:
            async with turn:
                self._store.put(await self._cluster.apply(manifest, new=known is None))
        except Gone:
            if known is not None:
                raise
            await self._settle_unseen(resource, manifest)
            return
        if known is not None and applied_hash(known) in {applied_hash(manifest), None}:
            # The same was applied before: somebody else has changed it since.
            who = other_manager(known)
            self._disputes.corrected((key, *place), who)
            words = f"{' '.join(place)} was changed by the field manager {who} and is set back"
            self._corrections[key].append(words)

    def take_corrections(self, key: Key) -> list[str]:
        """What was set back since this was last asked."""
        return self._corrections.pop(key, [])

    async def _settle_unseen(self, resource: Resource, manifest: Json) -> None:
        """Apply one child that could not be made anew, if what is in its place is ours."""
        known = await self._unseen(manifest)
        if known is None:
            # It has gone meanwhile; or this server takes no version for what does not exist.
            self._store.put(await self._cluster.apply(manifest))
            return
        _check_owner(known, resource)
        # Ours all the same: its label was taken from it, or no watch has told of it yet.
        await self._settle(resource, manifest, known)

    async def _share(self, manifest: Json) -> None:
        """Make what all resources of a namespace read, unless it is there.

        Its name tells its content: what has another content under that name is not ours.
        """
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]

        def seen() -> Json | None:
            found = (each for each in self._store.for_all(namespace) if _place(each)[1] == name)
            return next(found, None)

        if (known := seen()) is not None and self._agreement.holds(known, manifest):
            return
        # Many passes want it at once; one makes it.
        async with self._sharing[namespace]:
            known = seen() or await self._unseen(manifest)
            if known is not None and known["content"] != condensed(manifest)["content"]:
                words = f"{CONFIG_MAP.kind} {name} exists already with a content that is not ours"
                raise Taken(f"{words}; it is left as it is")
            place = (Key(namespace, ""), *_place(manifest))
            if known is not None:
                if self._agreement.holds(known, manifest) or not self._disputes.may_correct(place):
                    return
                self._disputes.corrected(place, other_manager(known))
            self._store.put(await self._cluster.apply(manifest))

    def check_disputes(self, plan: Plan) -> None:
        """Tell of a child that somebody keeps changing.

        Raises:
            Disputed: names it, and who does that.
        """
        key = plan.resource.key
        for kind, name in map(_place, plan.manifests):
            if (found := self._disputes.dispute((key, kind, name))) is not None:
                who, wait = found
                words = f"{kind} {name} is changed again and again by the field manager {who}"
                raise Disputed(words, wait)

    async def _unseen(self, manifest: Json) -> Json | None:
        """An object of that name that we do not watch: it lacks our label, so it is not ours."""
        kind, metadata = BY_KIND[manifest["kind"]], manifest["metadata"]
        try:
            found = await self._cluster.get(kind, metadata["namespace"], metadata["name"])
        except Gone:
            return None
        return condensed(found)

    async def prune(self, plan: Plan) -> None:
        """Delete what belongs to this resource and nothing wants any more.

        Raises:
            OperatorError: the API server did not do it.
        """
        key, keep = plan.resource.key, {*map(_place, plan.manifests), *plan.wanted.kept}
        # Pods of the previous rendering read theirs again when their container restarts.
        for pod in self._store.members(key, POD):
            keep |= {(CONFIG_MAP.kind, name) for name in _mounted(pod)}
        for place, each in self._all(key).items():
            if _owns(plan.resource.uid, each) and place not in keep:
                await self._delete(each)

    async def _delete(self, body: Json) -> None:
        if body["metadata"].get("deletionTimestamp"):
            return
        namespace = body["metadata"]["namespace"]
        log.info("%s: %s %s is not wanted any more", namespace, *_place(body))
        try:
            await self._cluster.delete(BY_KIND[body["kind"]], body)
        except Gone:
            self._store.drop(body)

    async def tidy(self, namespace: str, newest: str) -> None:
        """Delete what resources of a namespace shared, once nothing reads it any more.

        It belongs to nobody, for an object with a thousand owners would be written anew for each.

        Args:
            namespace: where.
            newest: the name of what the next pass of any resource would read.
        """
        wanted = next(self._store.within(namespace, QWEN), None) is not None
        for each in self._store.for_all(namespace):
            name = each["metadata"]["name"]
            users = self._store.within(namespace, DEPLOYMENT, POD)
            if (wanted and name == newest) or any(name in _mounted(user) for user in users):
                continue
            try:
                await self._delete(each)
            except OperatorError as problem:
                log.warning("%s: %s", namespace, problem)


def _in_order(manifests: Sequence[Json]) -> tuple[list[Json], list[Json], list[Json]]:
    """What pods read, Services, and all else."""
    first, beside = {CONFIG_MAP.kind}, {SERVICE.kind}
    return (
        [each for each in manifests if each["kind"] in first],
        [each for each in manifests if each["kind"] in beside],
        [each for each in manifests if each["kind"] not in first | beside],
    )


async def _all_of(*doing: Awaitable[None]) -> None:
    """Wait until all have ended; then raise what the first that failed has raised."""
    for end in await asyncio.gather(*doing, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end


def _owns(uid: str, body: Mapping[str, Any]) -> bool:
    return owner_of(body).get("uid") == uid


def _check_owner(known: Json, resource: Resource) -> None:
    """Raise unless an object is this resource's.

    Raises:
        Taken: it is somebody else's.
        Unreachable: it is that of a resource of the same name that was deleted.
    """
    owner = owner_of(known)
    if owner.get("uid") == resource.uid:
        return
    kind, name = _place(known)
    if owner.get("kind") == naming.KIND and owner.get("name") == resource.key.name:
        # The garbage collector removes it; a stale view of ours must never do that.
        raise Unreachable(f"{kind} {name} of this resource's predecessor is still being removed")
    whose = f"{owner['kind']} {owner['name']}" if owner else "nobody that Kubernetes knows of"
    raise Taken(f"{kind} {name} exists already and belongs to {whose}; it is left as it is")
