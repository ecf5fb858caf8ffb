"""How many GPUs are free: asked for only while a pod waits for one, and where we may ask.

The scheduler says that a node has too few, never how many it has.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator.cluster.protocol import NODE, POD, Cluster, Json
from qwen_operator.errors import Refused

_EVERY_SECONDS = 30.0
_MOST_NODES = 64
"""GPU nodes whose pods are listed; of a larger cluster only what nodes offer is told."""


@dataclass(frozen=True, slots=True)
class Free:
    """What there is of an extended resource.

    Attributes:
        name: of the resource, such as nvidia.com/gpu.
        offered: by node, those that may be scheduled to.
        used: by node, what pods there ask for; None where that was not counted.
    """

    name: str
    offered: Mapping[str, int]
    used: Mapping[str, int] | None

    @property
    def words(self) -> str:
        """For a person."""
        total = sum(self.offered.values())
        if not total:
            return f"no node that pods may be scheduled to has {self.name}"
        if self.used is None:
            return f"{len(self.offered)} nodes have {total} {self.name} in all"
        free = {node: max(0, n - self.used.get(node, 0)) for node, n in self.offered.items()}
        most = max(free.values())
        told = f"{sum(free.values())} of {total} {self.name} are free"
        return f"{told}, at most {most} on one node" if len(free) > 1 and most else told


def _wanted(pod: Mapping[str, Any]) -> Iterator[str]:
    """Extended resources that a pod asks for and waits for."""
    conditions = pod.get("status", {}).get("conditions") or ()
    waits = any(
        each.get("type") == "PodScheduled" and each.get("status") == "False" for each in conditions
    )
    for container in pod.get("spec", {}).get("containers") or () if waits else ():
        limits = (container.get("resources") or {}).get("limits") or {}
        yield from (name for name in limits if "/" in name)


def _count(amounts: Mapping[str, Any] | None, name: str) -> int:
    text = str((amounts or {}).get(name, "0"))
    return int(text) if text.isdigit() else 0


def _asked(pod: Mapping[str, Any], name: str) -> int:
    """How many a pod holds: all its containers', or the largest of those that came before them."""
    if pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    spec = pod.get("spec", {})
    first, later = (
        [_count((each.get("resources") or {}).get("limits"), name) for each in spec.get(kind) or ()]
        for kind in ("initContainers", "containers")
    )
    return max([*first, sum(later)], default=0)


class Capacity:
    """Asks for nodes and their pods at intervals, and remembers what was found."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._found: dict[str, str] = {}

    def of(self, pod: Mapping[str, Any]) -> str | None:
        """What is free of what a pod waits for, in words; None where that is not known."""
        found = [self._found[name] for name in _wanted(pod) if name in self._found]
        return "; ".join(found) or None

    def due(self, pods: list[Json]) -> set[str]:
        """Which resources to ask about now; what nobody waits for is forgotten."""
        now, wanted = self._clock(), {name for pod in pods for name in _wanted(pod)}
        self._found = {name: words for name, words in self._found.items() if name in wanted}
        return {
            name
            for name in wanted
            if now - self._asked.get(name, -_EVERY_SECONDS) >= _EVERY_SECONDS
        }

    async def ask(self, cluster: Cluster, name: str) -> bool:
        """Look at the nodes; return whether other words are told than before.

        Raises:
            OperatorError: they could not be listed.
        """
        self._asked[name] = self._clock()
        try:
            words = (await self._look(cluster, name)).words
        except Refused:
            # An administrator may have taken that permission away: then it is not told.
            return False
        news = self._found.get(name) != words
        self._found[name] = words
        return news

    async def _look(self, cluster: Cluster, name: str) -> Free:
        nodes = [each async for page in cluster.pages(NODE, None) for each in page.items]
        offered = {
            each["metadata"]["name"]: count
            for each in nodes
            if (count := _count(each.get("status", {}).get("allocatable"), name))
            and not each.get("spec", {}).get("unschedulable")
        }
        if len(offered) > _MOST_NODES:
            return Free(name, offered, None)
        used = {}
        for node in offered:
            there = cluster.pages(POD, None, fields=f"spec.nodeName={node}")
            used[node] = sum([_asked(pod, name) async for page in there for pod in page.items])
        return Free(name, offered, used)
