"""One pass over a QwenDeployment: compute, apply, look, report; a second pass writes nothing."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import Resource
from qwen_operator.cluster.protocol import EVENT, POD, QWEN, Cluster, Json
from qwen_operator.desired.children import Desired
from qwen_operator.desired.repository import Files
from qwen_operator.errors import Gone, InvalidSpec, OperatorError, Postponed, Refused
from qwen_operator.facts import Engine, Facts, is_ready, is_undecided
from qwen_operator.naming import Key
from qwen_operator.observe.capacity import Capacity
from qwen_operator.observe.engines import Engines
from qwen_operator.observe.sights import Watched, facts_of
from qwen_operator.observe.store import Store
from qwen_operator.observe.warnings import Warnings
from qwen_operator.reconcile.children import Children, Disputed, Taken
from qwen_operator.reconcile.plans import Plan, Plans
from qwen_operator.reconcile.statuses import Statuses
from qwen_operator.settings import Settings
from qwen_operator.status.document import conditions, counts, dated, endpoints, outdated
from qwen_operator.status.events import (
    DRIFT_CORRECTED,
    News,
    again,
    event,
    is_worth_telling,
    turn,
)
from qwen_operator.status.fit import fit_of, hopeless
from qwen_operator.status.pods import Trouble
from qwen_operator.status.reasons import Reason
from qwen_operator.status.verdict import Seen, seen, verdict

log = logging.getLogger(__name__)

Now = Callable[[], str]

SETTLE_SECONDS = 1.0
"""How long what merely passes by (a pod is made, a model loads) is watched before it is said."""


def _said_serving(body: Mapping[str, Any]) -> bool:
    """The status calls the present generation Ready."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    ready: Mapping[str, Any] = next(
        (each for each in conditions if each.get("type") == "Ready"), {}
    )
    current = ready.get("observedGeneration") == body["metadata"].get("generation")
    return current and ready.get("status") == "True"


def _key(metadata: Mapping[str, Any]) -> Key:
    return Key(metadata["namespace"], metadata["name"])


class Reconciler:
    """Brings what exists to what a QwenDeployment asks for, and its status to what is seen."""

    def __init__(
        self,
        cluster: Cluster,
        watched: tuple[Store, Engines, Warnings, Capacity],
        rendering: tuple[Settings, Files],
        clocks: tuple[Now, Callable[[], float]],
        *,
        settle_seconds: float = SETTLE_SECONDS,
        on_start: Callable[[Json], object] = lambda _startup: None,
    ) -> None:
        """Make one for the whole operator.

        Args:
            cluster: where children are applied and statuses written.
            watched: what was last seen of objects, of engines, of pods that do not start, and of
                what these wait for.
            rendering: the operator's settings and the backend's source.
            clocks: the present time in RFC 3339, UTC, and a monotonic clock in seconds.
            settle_seconds: see SETTLE_SECONDS.
            on_start: told of each start that a status tells of, as it does.
        """
        self._on_start = on_start
        now, clock = clocks
        self._cluster = cluster
        self._store, self._engines, self._warnings, self._capacity = watched
        settings, backend = rendering
        self._plans, self._newest = Plans(settings, backend), backend.name
        self._children = Children(cluster, self._store, clock)
        self._statuses = Statuses(cluster, clock)
        self._now, self._clock = now, clock
        self._settle_seconds = settle_seconds
        self._unsaid: dict[Key, float] = {}

    async def __call__(self, key: Key) -> None:
        """One pass.

        Raises:
            OperatorError: the pass could not be finished and should be repeated after a while.
        """
        body = self._store.resource(key)
        if body is None:
            self._unsaid.pop(key, None)
            if next(self._store.within(key.namespace, QWEN), None) is None:
                await self._children.tidy(key.namespace, self._newest)
            return
        if body["metadata"].get("deletionTimestamp"):
            return
        if (plan := await self._planned(body, key)) is None:
            return
        if self._children.lacks(plan) and await self._is_ghost(body):
            return
        resource, wanted = plan.resource, plan.wanted
        obstacle, again = await self._bring_about(plan)
        await self._look(key, body)
        facts = self._facts(key, resource.uid, resource.served_name)
        what = seen(resource, facts, wanted.template_hash, obstacle)
        if obstacle is None and _said_serving(body) and any(map(is_undecided, facts.pods)):
            # A restarted operator knows nothing yet. A reading, or its lack, pokes soon; until
            # then what was said before is the best that is known.
            return
        older = outdated(facts, wanted.newest_hash)
        details = {**self._details(resource, wanted), **fit_of(plan.fit)}
        await self._report(body, what, {**details, **older})
        for words in self._children.take_corrections(key):
            news = News(DRIFT_CORRECTED, words)
            await self._tell(event(body["metadata"], news, self._now()))
        if again is not None:
            raise again

    async def _bring_about(self, plan: Plan) -> tuple[Trouble | None, OperatorError | None]:
        """Make what exists what is wanted; return what kept us from it, and how the pass ends."""
        try:
            await self._children.apply(plan)
            await self._children.prune(plan)
            self._children.check_disputes(plan)
        except Disputed as finding:
            words = str(finding)
            return Trouble(Reason.FieldConflict, words), Postponed(words, finding.wait)
        except Taken as finding:
            return Trouble(Reason.NameTaken, str(finding)), Refused(str(finding))
        except Refused as problem:
            return Trouble(Reason.ApplyRefused, str(problem)), problem
        return None, None

    async def _is_ghost(self, body: Json) -> bool:
        """Whether a resource whose children are gone is gone itself, and nobody has told us.

        Making them anew would go on until the next sweep: each time they would be removed again.
        """
        metadata = body["metadata"]
        if not (body.get("status") or {}).get("observedGeneration"):
            # It is new, and so it never had any.
            return False
        named = f"metadata.name={metadata['name']}"
        found = self._cluster.pages(QWEN, metadata["namespace"], fields=named)
        alive = [each async for page in found for each in page.items]
        if any(each["metadata"]["uid"] == metadata["uid"] for each in alive):
            return False
        log.info("%s is gone, though no watch has told of it", _key(metadata))
        self._store.drop(body)
        for each in alive:
            self._store.put(each)
        return True

    async def _planned(self, body: Json, key: Key) -> Plan | None:
        """What to work towards; None where that cannot be, which is then said."""
        live = self._children.live(key, body["metadata"]["uid"])
        try:
            plan = self._plans.plan(body, live)
        except InvalidSpec as problem:
            await self._report_refused(body, key, Trouble(Reason.InvalidSpec, str(problem)), {})
            return None
        if plan.fit is not None and plan.is_hopeless(live):
            await self._report_refused(body, key, hopeless(plan.fit), fit_of(plan.fit))
            return None
        return plan

    async def tidy(self) -> None:
        """Delete what resources shared and nothing reads any more, in all namespaces."""
        for namespace in self._store.namespaces():
            await self._children.tidy(namespace, self._newest)

    async def _look(self, key: Key, body: Json) -> None:
        """Read at once, instead of in their turn, engines that kubelet has just called ready."""
        startup = (body.get("status") or {}).get("startup") or {}
        told = startup.get("pod") if "readySeconds" in startup else None
        pods = self._store.members(key, POD)
        known = self._engines.of(pods)
        news = [
            pod
            for pod in pods
            if is_ready(pod) and known.get(pod["metadata"]["uid"], Engine.UNKNOWN) is Engine.UNKNOWN
        ]
        await asyncio.gather(*(self._engines.read(pod) for pod in news))
        ready = [pod for pod in pods if is_ready(pod) and pod["metadata"]["name"] != told]
        await asyncio.gather(*(self._engines.learn(pod) for pod in ready))

    def _facts(self, key: Key, uid: str, model: str | None = None) -> Facts:
        watched = Watched(self._store, self._engines, self._warnings, self._capacity)
        return facts_of(watched, key, uid, model)

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

    async def _report_refused(self, body: Json, key: Key, obstacle: Trouble, told: Json) -> None:
        """Say what is wrong with the spec; children stay as the last valid spec made them."""
        before = body.get("status") or {}
        facts = self._facts(key, body["metadata"]["uid"])
        what = Seen(facts, 0, "", obstacle=obstacle)
        kept = ("selector", "configHash", "image", "renderedBy", "endpoints")
        details = {name: before[name] for name in kept if name in before}
        await self._report(body, what, {**details, **told})

    def _let_settle(self, body: Json, found: Trouble) -> None:
        """Say nothing yet of what passes by itself: a start takes four steps in its first second.

        What fails, and what was Ready and is not any more, is said at once.

        Raises:
            Postponed: until when.
        """
        key, meaning = _key(body["metadata"]), found.reason.value
        if meaning.resolves and not meaning.failing and not _said_serving(body):
            since = self._unsaid.setdefault(key, self._clock())
            if (left := since + self._settle_seconds - self._clock()) > 0:
                raise Postponed(f"{found.reason.name} may be over in a moment", left)
        self._unsaid.pop(key, None)

    async def _report(self, body: Json, what: Seen, details: Json) -> None:
        found = verdict(what)
        metadata = body["metadata"]
        generation = int(metadata.get("generation") or 0)
        before = body.get("status") or {}
        status = self._statuses.declared(
            {
                "observedGeneration": generation,
                **counts(what, found, before),
                **details,
                "conditions": dated(conditions(what, found), before, (generation, self._now())),
            }
        )
        if status == before:
            self._unsaid.pop(_key(metadata), None)
            return
        self._let_settle(body, found)
        self._store.put(await self._statuses.write(body, status))
        if status.get("startup", before.get("startup")) != before.get("startup"):
            self._on_start(status["startup"])
        said: Json = next(
            (each for each in before.get("conditions") or () if each["type"] == "Ready"), {}
        )
        if said.get("reason") != found.reason.name:
            log.info(
                "%s/%s: %s: %s",
                metadata["namespace"],
                metadata["name"],
                found.reason.name,
                found.message,
            )
            if is_worth_telling(found, was_ready=said.get("status") == "True"):
                await self._tell(event(metadata, turn(found), self._now()))
