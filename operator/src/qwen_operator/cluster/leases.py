"""Leadership: one Lease object, held by at most one operator at a time.

The rules are those of Kubernetes' own controllers: whoever holds the lease renews it; another takes
it only after it has itself watched the record stand still for the lease's duration. No clock of
another machine is ever compared with ours: durations are measured on one monotonic clock.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from qwen_operator.cluster.protocol import LEASE, Cluster, Json
from qwen_operator.errors import Gone, OperatorError

DURATION_SECONDS = 12
"""How long others wait for a holder that has stopped renewing."""

RENEW_SECONDS = 8.0
"""How long a holder may write after its last successful renewal; less than the duration."""

ROUND_SECONDS = 2.0
"""How often the lease is renewed, or looked at."""


@dataclass(frozen=True, slots=True)
class Name:
    """Which lease, and who we are in it."""

    namespace: str
    name: str
    identity: str


@dataclass(slots=True)
class _Record:
    """The lease as it was first seen to stand like this, on our clock."""

    spec: Json
    since: float


class Election:
    """One candidate for one lease."""

    def __init__(
        self, cluster: Cluster, name: Name, clocks: tuple[Callable[[], float], Callable[[], str]]
    ) -> None:
        """Make one.

        Args:
            cluster: where the lease is.
            name: which lease, and our identity: no two candidates may share it.
            clocks: a monotonic one in seconds, and the present time for people to read.
        """
        self._cluster = cluster
        self._name = name
        self._clock, self._wall = clocks
        self._seen: _Record | None = None
        self._renewed: float | None = None

    @property
    def held(self) -> bool:
        """Whether we lead now; turns false by itself when renewals stop working."""
        return self._renewed is not None and self._clock() - self._renewed < RENEW_SECONDS

    @property
    def holder(self) -> str:
        """Who leads, as last seen; empty for nobody."""
        return str((self._seen.spec if self._seen else {}).get("holderIdentity") or "")

    def _manifest(self, spec: Json, version: str | None) -> Json:
        metadata: Json = {"namespace": self._name.namespace, "name": self._name.name}
        if version is not None:
            # Makes the write fail where somebody else was quicker.
            metadata["resourceVersion"] = version
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": spec,
        }

    def _claim(self, before: Json) -> Json:
        now = self._wall()
        mine = before.get("holderIdentity") == self._name.identity
        changes = int(before.get("leaseTransitions") or 0) + (0 if mine else 1)
        return {
            "holderIdentity": self._name.identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": before.get("acquireTime", now) if mine else now,
            "renewTime": now,
            "leaseTransitions": changes if before else 0,
        }

    def _is_free(self, spec: Json) -> bool:
        """Whether the lease may be taken: nobody's, ours, or not renewed while we watched."""
        now = self._clock()
        if self._seen is None or self._seen.spec != spec:
            self._seen = _Record(spec, now)
        holder = spec.get("holderIdentity")
        # Our own duration, not the record's: a mistaken one there must not bar us for ever.
        stood_still = now - self._seen.since > DURATION_SECONDS
        return holder in {None, "", self._name.identity} or stood_still

    async def attempt(self) -> bool:
        """Renew the lease, or take it if it is free; return whether we lead.

        Raises:
            OperatorError: the lease could not be read or written; nothing is known anew.
        """
        sent = self._clock()
        try:
            lease = await self._cluster.get(LEASE, self._name.namespace, self._name.name)
        except Gone:
            return await self._write(
                self._cluster.create(self._manifest(self._claim({}), None)), sent
            )
        spec: Any = lease.get("spec") or {}
        if not self._is_free(spec):
            # Whatever we believed: it says that another leads.
            self._renewed = None
            return False
        version = lease["metadata"]["resourceVersion"]
        return await self._write(
            self._cluster.replace(self._manifest(self._claim(spec), version)), sent
        )

    async def _write(self, writing: Awaitable[Json], sent: float) -> bool:
        try:
            lease = await writing
        except Gone:  # another was quicker
            return False
        self._seen = _Record(lease.get("spec") or {}, sent)
        # From when it was sent: the answer may have been long on its way.
        self._renewed = sent
        return True

    async def release(self) -> None:
        """Give the lease back, so that another candidate need not wait; failing is no harm."""
        if not self.held:
            return
        self._renewed = None
        try:
            lease = await self._cluster.get(LEASE, self._name.namespace, self._name.name)
            spec: Any = lease.get("spec") or {}
            if spec.get("holderIdentity") == self._name.identity:
                version = lease["metadata"]["resourceVersion"]
                left = {**spec, "holderIdentity": "", "leaseDurationSeconds": 1}
                await self._cluster.replace(self._manifest(left, version))
        except OperatorError:
            return
