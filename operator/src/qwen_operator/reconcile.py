"""One pass over a QwenDeployment: compute, apply, look, report; a second pass writes nothing."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import Resource, read_resource
from qwen_operator.cluster.protocol import (
    BY_KIND,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    OWNED,
    POD,
    Cluster,
    Json,
)
from qwen_operator.desired.children import Desired, desired, with_applied_hash
from qwen_operator.desired.drift import holds, reclaimed
from qwen_operator.desired.held import held_back
from qwen_operator.desired.scale import scaled
from qwen_operator.errors import Gone, InvalidSpec, OperatorError, Postponed, Refused, Unreachable
from qwen_operator.facts import Engine, Facts, Outside, is_ready, is_undecided, read_facts
from qwen_operator.naming import Key
from qwen_operator.observe.disputes import Disputes, other_manager
from qwen_operator.observe.engines import Engines
from qwen_operator.observe.store import Store
from qwen_operator.observe.warnings import Warnings
from qwen_operator.settings import Settings
from qwen_operator.status.document import conditions, counts, dated, endpoints, outdated
from qwen_operator.status.events import again, event
from qwen_operator.status.pods import Trouble
from qwen_operator.status.reasons import Reason
from qwen_operator.status.verdict import Seen, seen, verdict

log = logging.getLogger(__name__)

Now = Callable[[], str]


class _Taken(Exception):
    """An object with a name that we need belongs to somebody else."""


class _Disputed(Exception):
    """Somebody keeps changing an object of ours; `wait` seconds until it is set back again."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


def _owner(body: Mapping[str, Any]) -> Mapping[str, Any]:
    references: list[Mapping[str, Any]] = body["metadata"].get("ownerReferences") or []
    return next((each for each in references if each.get("controller")), {})


def _place(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _applied(body: Mapping[str, Any]) -> str | None:
    annotations: Mapping[str, str] = body["metadata"].get("annotations") or {}
    return annotations.get(naming.APPLIED_HASH_ANNOTATION)


def _said_serving(body: Mapping[str, Any]) -> bool:
    """The status calls the present generation Ready."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    ready: Mapping[str, Any] = next(
        (each for each in conditions if each.get("type") == "Ready"), {}
    )
    current = ready.get("observedGeneration") == body["metadata"].get("generation")
    return current and ready.get("status") == "True"


def _is_ours(body: Mapping[str, Any], resource: Resource) -> bool:
    return _owner(body).get("uid") == resource.uid


class Reconciler:
    """Brings what exists to what a QwenDeployment asks for, and its status to what is seen."""

    def __init__(
        self,
        cluster: Cluster,
        watched: tuple[Store, Engines, Warnings],
        rendering: tuple[Settings, Mapping[str, str]],
        clocks: tuple[Now, Callable[[], float]],
    ) -> None:
        """Make one for the whole operator.

        Args:
            cluster: where children are applied and statuses written.
            watched: what was last seen of objects, of engines, and of pods that do not start.
            rendering: the operator's settings and the backend's source files.
            clocks: the present time in RFC 3339, UTC, and a monotonic clock in seconds.
        """
        now, clock = clocks
        self._cluster = cluster
        self._store, self._engines, self._warnings = watched
        self._settings, self._backend = rendering
        self._now = now
        self._disputes = Disputes(clock)

    async def __call__(self, key: Key) -> None:
        """One pass.

        Raises:
            OperatorError: the pass could not be finished and should be repeated after a while.
        """
        body = self._store.resource(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return
        try:
            resource, wanted = self._wanted(key, body)
        except InvalidSpec as problem:
            await self._report_invalid(body, key, str(problem))
            return
        again: OperatorError | None = None
        obstacle = None
        try:
            await self._apply(resource, wanted)
            await self._prune(resource, wanted)
            self._check_disputes(resource, wanted)
        except _Disputed as finding:
            obstacle = Trouble(Reason.FieldConflict, str(finding))
            again = Postponed(str(finding), finding.wait)
        except _Taken as finding:
            obstacle = Trouble(Reason.NameTaken, str(finding))
            again = Refused(str(finding))
        except Refused as problem:
            obstacle = Trouble(Reason.ApplyRefused, str(problem))
            again = problem
        await self._look(key)
        facts = self._facts(key, resource.uid)
        what = seen(resource, facts, wanted.template_hash, obstacle)
        if obstacle is None and _said_serving(body) and any(map(is_undecided, facts.pods)):
            # A restarted operator knows nothing yet. A reading, or its lack, pokes soon; until
            # then what was said before is the best that is known.
            return
        older = outdated(facts, wanted.newest_hash)
        await self._report(body, what, {**self._details(resource, wanted), **older})
        if again is not None:
            raise again

    def _live(self, key: Key) -> dict[tuple[str, str], Json]:
        return {_place(each): each for kind in OWNED for each in self._store.members(key, kind)}

    def _wanted(self, key: Key, body: Json) -> tuple[Resource, Desired]:
        """What is asked for and what should exist for it.

        Raises:
            InvalidSpec: that cannot be.
        """
        written = read_resource(body)
        live = {place: each for place, each in self._live(key).items() if _is_ours(each, written)}
        resource = scaled(written, live.get((DEPLOYMENT.kind, written.child)))
        wanted = desired(resource, self._settings, self._backend)
        return resource, held_back(resource, wanted, live)

    async def _apply(self, resource: Resource, wanted: Desired) -> None:
        live = self._live(resource.key)
        new = [each for each in wanted.children if _place(each) not in live]
        unseen = await asyncio.gather(*(self._unseen(each) for each in new))
        live |= {_place(each): each for each in unseen if each is not None}
        for plain in wanted.children:
            manifest = with_applied_hash(plain)
            known = live.get(_place(plain))
            if known is not None:
                self._check_owner(known, resource)
                if holds(known, manifest):
                    continue
                if not self._disputes.may_correct((resource.key, *_place(plain))):
                    continue
                log.info("%s: %s %s differs, applying", resource.key, *_place(plain))
                if (change := reclaimed(known, manifest)) is not None:
                    await self._cluster.merge(manifest, change)
                if resource.spec.autoscaling is not None:
                    # An autoscaler may write between our look and this: then ours must fail.
                    version = known["metadata"]["resourceVersion"]
                    manifest["metadata"] = {**manifest["metadata"], "resourceVersion": version}
            self._store.put(await self._cluster.apply(manifest))
            if known is not None and _applied(known) in {_applied(manifest), None}:
                # The same was applied before: somebody else has changed it since.
                self._disputes.corrected((resource.key, *_place(plain)), other_manager(known))

    def _check_disputes(self, resource: Resource, wanted: Desired) -> None:
        for kind, name in map(_place, wanted.children):
            if (found := self._disputes.dispute((resource.key, kind, name))) is not None:
                who, wait = found
                words = f"{kind} {name} is changed again and again by the field manager {who}"
                raise _Disputed(words, wait)

    async def _unseen(self, manifest: Json) -> Json | None:
        """An object of that name that we do not watch: it lacks our label, so it is not ours."""
        kind = BY_KIND[manifest["kind"]]
        metadata = manifest["metadata"]
        try:
            return await self._cluster.get(kind, metadata["namespace"], metadata["name"])
        except Gone:
            return None

    def _check_owner(self, known: Json, resource: Resource) -> None:
        owner = _owner(known)
        if owner.get("uid") == resource.uid:
            return
        kind, name = _place(known)
        if owner.get("kind") == naming.KIND and owner.get("name") == resource.key.name:
            # The garbage collector removes it; a stale view of ours must never do that.
            raise Unreachable(
                f"{kind} {name} of this resource's predecessor is still being removed"
            )
        whose = f"{owner['kind']} {owner['name']}" if owner else "nobody that Kubernetes knows of"
        raise _Taken(f"{kind} {name} exists already and belongs to {whose}; it is left as it is")

    async def _prune(self, resource: Resource, wanted: Desired) -> None:
        keep = {_place(each) for each in wanted.children} | wanted.kept
        # Pods of the previous rendering read theirs again when their container restarts.
        for pod in self._store.members(resource.key, POD):
            for volume in pod.get("spec", {}).get("volumes") or ():
                if "configMap" in volume:
                    keep.add((CONFIG_MAP.kind, volume["configMap"]["name"]))
        for kind in OWNED:
            for each in self._store.members(resource.key, kind):
                ours = _owner(each).get("uid") == resource.uid
                if not ours or _place(each) in keep or each["metadata"].get("deletionTimestamp"):
                    continue
                log.info("%s: %s %s is not wanted any more", resource.key, *_place(each))
                try:
                    await self._cluster.delete(kind, each)
                except Gone:
                    self._store.drop(each)

    async def _look(self, key: Key) -> None:
        """Read at once, instead of in their turn, engines that kubelet has just called ready."""
        pods = self._store.members(key, POD)
        known = self._engines.of(pods)
        news = [
            pod
            for pod in pods
            if is_ready(pod) and known.get(pod["metadata"]["uid"], Engine.UNKNOWN) is Engine.UNKNOWN
        ]
        await asyncio.gather(*(self._engines.read(pod) for pod in news))

    def _facts(self, key: Key, uid: str) -> Facts:
        deployments = [
            each for each in self._store.members(key, DEPLOYMENT) if _owner(each).get("uid") == uid
        ]
        pods = [
            each
            for each in self._store.members(key, POD)
            if each["metadata"].get("labels", {}).get(naming.UID_LABEL) == uid
        ]
        engines = self._engines.of(pods)
        uids = [each["metadata"]["uid"] for each in pods]
        outside = {
            uid: Outside(engines.get(uid, Engine.UNKNOWN), self._warnings.of(uid)) for uid in uids
        }
        return read_facts(next(reversed(deployments), None), pods, outside)

    def _details(self, resource: Resource, wanted: Desired) -> Json:
        child, namespace = resource.child, resource.key.namespace
        return {
            "selector": f"{naming.INSTANCE_LABEL}={child},{naming.UID_LABEL}={resource.uid}",
            "configHash": wanted.config_hash,
            "image": wanted.image,
            "renderedBy": wanted.rendered_by,
            "endpoints": endpoints(child, namespace, resource.served_name),
        }

    async def _tell(self, fresh: Json) -> None:
        try:
            await self._cluster.create(fresh)
        except Gone:  # one of that name exists: the same was told before
            place = fresh["metadata"]["namespace"], fresh["metadata"]["name"]
            known = await self._cluster.get(EVENT, *place)
            await self._cluster.merge(fresh, again(known, fresh))

    async def _report_invalid(self, body: Json, key: Key, words: str) -> None:
        """Say what is wrong with the spec; children stay as the last valid spec made them."""
        before = body.get("status") or {}
        facts = self._facts(key, body["metadata"]["uid"])
        obstacle = Trouble(Reason.InvalidSpec, words)
        what = Seen(facts, 0, "", obstacle=obstacle)
        kept = ("selector", "configHash", "image", "renderedBy", "endpoints")
        await self._report(body, what, {name: before[name] for name in kept if name in before})

    async def _report(self, body: Json, what: Seen, details: Json) -> None:
        found = verdict(what)
        metadata = body["metadata"]
        generation = int(metadata.get("generation") or 0)
        before = body.get("status") or {}
        status = {
            "observedGeneration": generation,
            **counts(what, found, before),
            **details,
            "conditions": dated(conditions(what, found), before, (generation, self._now())),
        }
        if status == before:
            return
        answer = await self._cluster.apply_status(
            {
                "apiVersion": naming.API_VERSION,
                "kind": naming.KIND,
                # With its version, so that a re-created resource never gets its predecessor's
                # status; the API server does not compare uids here.
                "metadata": {
                    key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")
                },
                "status": status,
            }
        )
        self._store.put(answer)
        said = {each["type"]: each.get("reason") for each in before.get("conditions") or ()}
        if said.get("Ready") != found.reason.name:
            log.info(
                "%s/%s: %s: %s",
                metadata["namespace"],
                metadata["name"],
                found.reason.name,
                found.message,
            )
            await self._tell(event(metadata, found, self._now()))
