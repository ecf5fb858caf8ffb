"""What the operator asks of a cluster: the seam at which unit tests end."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from qwen_operator import naming

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type of the API.

    Attributes:
        group: API group, empty for the core group.
        version: API version.
        kind: as in manifests.
        plural: as in URLs.
    """

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """As in manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version


QWEN = Kind(naming.GROUP, naming.VERSION, naming.KIND, naming.PLURAL)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SERVICE = Kind("", "v1", "Service", "services")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
HPA = Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
POD = Kind("", "v1", "Pod", "pods")
EVENT = Kind("", "v1", "Event", "events")
NODE = Kind("", "v1", "Node", "nodes")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")

OWNED = (CONFIG_MAP, SERVICE, DEPLOYMENT, HPA)
"""Kinds that the operator applies and prunes."""

WATCHED = (*OWNED, POD)
"""Kinds that it watches, where they carry its label."""

BY_KIND = {each.kind: each for each in (QWEN, *WATCHED, EVENT, LEASE)}

# verbs, subresource: what the code below these lines and the watches really call.
RULES: tuple[tuple[Kind, str, tuple[str, ...]], ...] = (
    (QWEN, "", ("list", "watch")),
    (QWEN, "/status", ("patch",)),
    *((kind, "", ("create", "delete", "get", "list", "patch", "watch")) for kind in OWNED),
    (POD, "", ("list", "watch")),
    (EVENT, "", ("create", "get", "list", "patch")),
    # Only while a pod waits for a GPU, and not by an operator of single namespaces.
    (NODE, "", ("list",)),
)
"""Every permission that the operator needs where models are; the chart's role is made from it."""

LEASE_RULES: tuple[tuple[Kind, str, tuple[str, ...]], ...] = (
    (LEASE, "", ("create", "get", "update")),
)
"""What it needs besides, in its own namespace alone."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list.

    Attributes:
        items: the objects, each with its type.
        version: of the list as a whole, from which a watch goes on.
    """

    items: list[Json]
    version: str


class Cluster(Protocol):
    """A Kubernetes API server. Every method raises only what `errors` names."""

    async def apply(self, manifest: Json, *, new: bool = False) -> Json:
        """Server-side apply an object of ours, by force; return it as it then stands.

        Gone where the object is not of the version that metadata.resourceVersion names, or, if it
        must be new, where one of that name exists.
        """
        ...

    async def apply_status(self, manifest: Json) -> Json:
        """Server-side apply the status of a QwenDeployment; return the object.

        Gone where the object is not of the version that metadata.resourceVersion names.
        """
        ...

    async def merge(self, manifest: Json, change: Json) -> Json:
        """Merge a change into an object of ours, lists as a whole; return it as it then stands."""
        ...

    async def delete(self, kind: Kind, manifest: Json) -> None:
        """Delete exactly this object (by uid), its dependents in the background."""
        ...

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """One object; Gone where there is none."""
        ...

    def pages(
        self, kind: Kind, namespace: str | None, selector: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """Every object of a kind in one namespace or in all, by label and field selector."""
        ...

    def watch(
        self, kind: Kind, namespace: str | None, selector: str, version: str
    ) -> AsyncIterator[Json]:
        """What has happened since a version, as {"type": …, "object": …}, until the server ends it.

        The types are ADDED, MODIFIED, DELETED, and BOOKMARK, which only tells a later version.
        Gone where the version is too old.
        """
        ...

    async def create(self, manifest: Json) -> Json:
        """Create an object; Gone where one of that name exists."""
        ...

    async def replace(self, manifest: Json) -> Json:
        """Write an object as a whole; Gone where it is not of the version that it names."""
        ...
