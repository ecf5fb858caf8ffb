"""The audit log of the embedded cluster: what an operator's account asked for, and what it got."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ACCOUNT = re.compile(r"system:serviceaccount:[^:]+:([a-z0-9-]+-)?qwen-operator")
"""The accounts of the chart's releases and of the integration tests' operators."""
CREATED = 201
ENDING_SECONDS = 15
"""The operator's terminationGracePeriodSeconds."""
_DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One verb on one resource, as a rule grants it and a request uses it.

    Attributes:
        group: API group, empty for the core group.
        resource: plural, with the subresource after a slash.
        verb: Kubernetes' verb.
    """

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an operator's account.

    Attributes:
        used: what it took; nothing for a path that is no resource, such as /version.
        uri: the whole request.
        allowed: whether the authorizer let it pass. A request may still be answered 403 by
            admission, in a namespace that is ending, say: no right helps there.
        user: the account.
        moment: when it came in, unix seconds.
    """

    used: frozenset[Permission]
    uri: str
    allowed: bool
    user: str
    moment: float


def _used(event: dict[str, Any]) -> Iterator[Permission]:
    where = event.get("objectRef")
    if where is None:
        return
    below = f"/{where['subresource']}" if where.get("subresource") else ""
    resource = where["resource"] + below
    yield Permission(where.get("apiGroup", ""), resource, event["verb"])
    if event["verb"] == "patch" and event.get("responseStatus", {}).get("code") == CREATED:
        # Applying what is not there takes both verbs; the log names the first.
        yield Permission(where.get("apiGroup", ""), resource, "create")


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()


def _events(log: Path, since: str, word: str) -> Iterator[dict[str, Any]]:
    """What came in since a moment (RFC 3339, UTC), older files of the log included."""
    for path in sorted(log.parent.glob(f"{log.stem}*{log.suffix}")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if word in line:
                    event = json.loads(line)
                    if event["requestReceivedTimestamp"] >= since:
                        yield event


def calls(log: Path, since: str) -> Iterator[Call]:
    """The operators' requests."""
    for event in _events(log, since, "qwen-operator"):
        user = event.get("user", {}).get("username", "")
        if ACCOUNT.fullmatch(user):
            decision = event.get("annotations", {}).get(_DECISION)
            used = frozenset(_used(event))
            yield Call(used, event["requestURI"], decision == "allow", user, _moment(event))


def uninstallations(log: Path, since: str) -> list[tuple[str, float]]:
    """When bindings of operators' namespaces were deleted: (namespace, unix seconds)."""
    return [
        (event["objectRef"].get("namespace", ""), _moment(event))
        for event in _events(log, since, "rolebindings")
        if event["verb"] == "delete"
        and event.get("objectRef", {}).get("resource") == "rolebindings"
    ]


def is_last_breath(call: Call, uninstalled: list[tuple[str, float]]) -> bool:
    """Whether its release was just being uninstalled.

    Helm takes the rights away while the operator's pod still ends, and in ending it would give
    the lease back.
    """
    namespace = call.user.split(":")[2]
    return any(
        namespace == place and 0 <= call.moment - moment <= ENDING_SECONDS
        for place, moment in uninstalled
    )


def granted(rules: list[dict[str, list[str]]]) -> set[Permission]:
    """What RBAC rules grant."""
    return {
        Permission(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
