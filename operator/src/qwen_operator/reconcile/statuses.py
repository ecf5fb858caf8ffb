"""Writes statuses, without the fields that the cluster's CustomResourceDefinition does not have.

Whoever upgrades the operator alone has an older definition in the cluster. Server-side apply takes
no field that is not declared, and a status refused for one detail would tell nothing at all.
"""

import copy
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from qwen_operator import naming
from qwen_operator.cluster.protocol import Cluster, Json
from qwen_operator.errors import OperatorError

log = logging.getLogger(__name__)

RELEARN_SECONDS = 300.0
"""After so long a field is tried again: the definition may have been brought up to date."""

_UNDECLARED = re.compile(r"\.status((?:\.\w+)+): field not declared in schema")

_Path = tuple[str, ...]


def undeclared(words: str) -> frozenset[_Path]:
    """The paths below `.status` that an API server's message calls unknown to the definition."""
    return frozenset(tuple(found[1:].split(".")) for found in _UNDECLARED.findall(words))


def _holds(status: Any, path: _Path) -> bool:  # noqa: ANN401 - any JSON
    for name in path:
        if not isinstance(status, dict) or name not in status:
            return False
        status = status[name]
    return True


def without(status: Json, paths: Iterable[_Path]) -> Json:
    """A status without some of its fields; one without any of them is returned as it is."""
    there = [path for path in paths if _holds(status, path)]
    if not there:
        return status
    made = copy.deepcopy(status)
    for path in there:
        parent = made
        for name in path[:-1]:
            parent = parent.get(name, {})
        parent.pop(path[-1], None)
    return made


class Statuses:
    """Applies statuses, and remembers what the definition lacks."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._cluster, self._clock = cluster, clock
        self._lacking: dict[_Path, float] = {}
        self._told: set[_Path] = set()

    def declared(self, status: Json) -> Json:
        """What of a status can be written, as far as is known."""
        now = self._clock()
        self._lacking = {path: end for path, end in self._lacking.items() if end > now}
        return without(status, self._lacking)

    async def write(self, body: Json, status: Json) -> Json:
        """Apply a status to the resource of that version; return the object as it is then.

        Raises:
            OperatorError: it could not be written.
        """
        metadata, before = body["metadata"], body.get("status") or {}
        while (written := self.declared(status)) != before:
            manifest = {
                "apiVersion": naming.API_VERSION,
                "kind": naming.KIND,
                # With its version, so that a re-created resource never gets its predecessor's
                # status; the API server does not compare uids here.
                "metadata": {
                    key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")
                },
                "status": written,
            }
            try:
                return await self._cluster.apply_status(manifest)
            except OperatorError as problem:
                lacking = [path for path in undeclared(str(problem)) if _holds(written, path)]
                if not lacking:
                    raise
                self._remember(lacking)
        return body

    def _remember(self, paths: Iterable[_Path]) -> None:
        until = self._clock() + RELEARN_SECONDS
        self._lacking |= dict.fromkeys(paths, until)
        if fresh := set(paths) - self._told:
            self._told |= fresh
            log.warning(
                "the CustomResourceDefinition in the cluster is older than this operator: statuses"
                " go without %s; bring it up to date by upgrading the chart, or with kubectl apply"
                " --server-side -f crds/qwendeployments.yaml of this operator's version",
                ", ".join(sorted(".status." + ".".join(path) for path in fresh)),
            )
