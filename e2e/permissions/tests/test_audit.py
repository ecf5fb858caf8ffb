"""Which lines of an audit log count, and for what."""

import json
from pathlib import Path
from typing import Any

import pytest

from e2e.permissions.audit import (
    Permission,
    calls,
    granted,
    is_last_breath,
    uninstallations,
)

OURS = "system:serviceaccount:qwen-system:qwen-operator"


def event(**other: Any) -> dict[str, Any]:
    return {
        "requestReceivedTimestamp": "2030-01-02T00:00:00.000000Z",
        "requestURI": "/api/v1/pods?watch=true",
        "verb": "watch",
        "user": {"username": OURS},
        "objectRef": {"resource": "pods"},
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **other,
    }


def log(folder: Path, *events: dict[str, Any], name: str = "audit.log") -> Path:
    (folder / name).write_text("".join(f"{json.dumps(each)}\n" for each in events))
    return folder / "audit.log"


def test_a_request_is_a_permission_with_its_subresource(tmp_path: Path) -> None:
    where = {"apiGroup": "qwen-operator.dev", "resource": "qwens", "subresource": "status"}
    (found,) = calls(log(tmp_path, event(verb="patch", objectRef=where)), "2030")
    (used,) = found.used
    assert used == Permission("qwen-operator.dev", "qwens/status", "patch")
    assert str(used) == "patch qwens/status.qwen-operator.dev"
    assert found.allowed


@pytest.mark.parametrize("annotations", [{"authorization.k8s.io/decision": "forbid"}, {}])
def test_what_was_not_allowed_is_told_from_what_was(tmp_path: Path, annotations: Any) -> None:
    (found,) = calls(log(tmp_path, event(annotations=annotations)), "2030")
    assert not found.allowed


@pytest.mark.parametrize(
    ("user", "counts"),
    [
        (OURS, True),
        ("system:serviceaccount:team-a-system:team-a-qwen-operator", True),
        ("system:serviceaccount:kube-system:deployment-controller", False),
        ("system:serviceaccount:qwen-operator:default", False),
    ],
)
def test_only_operators_accounts_count(tmp_path: Path, user: str, counts: bool) -> None:  # noqa: FBT001 - a case
    assert bool(list(calls(log(tmp_path, event(user={"username": user})), "2030"))) is counts


def test_earlier_clusters_do_not_count_and_earlier_files_of_this_one_do(tmp_path: Path) -> None:
    earlier = event(requestReceivedTimestamp="2029-12-31T23:59:59.000000Z")
    log(tmp_path, event(requestURI="/one"), name="audit-2030-01-01T00-00-00.000.log")
    path = log(tmp_path, earlier, event(requestURI="/two"))
    assert [each.uri for each in calls(path, "2030-01-01T00:00:00Z")] == ["/one", "/two"]


def test_a_path_that_is_no_resource_takes_no_permission_of_a_rule(tmp_path: Path) -> None:
    (found,) = calls(log(tmp_path, event(objectRef=None, requestURI="/version")), "2030")
    assert found.used == frozenset()


@pytest.mark.parametrize(("code", "verbs"), [(200, {"patch"}), (201, {"patch", "create"})])
def test_applying_what_was_not_there_takes_the_right_to_create(
    tmp_path: Path, code: int, verbs: set[str]
) -> None:
    (found,) = calls(log(tmp_path, event(verb="patch", responseStatus={"code": code})), "2030")
    assert {each.verb for each in found.used} == verbs


@pytest.mark.parametrize(
    ("second", "place", "last"),
    [(10, "qwen-system", True), (10, "another", False), (40, "qwen-system", False)],
)
def test_what_an_operator_asks_while_its_release_is_uninstalled_is_its_last_breath(
    tmp_path: Path,
    second: int,
    place: str,
    last: bool,  # noqa: FBT001 - a case
) -> None:
    removed = event(
        verb="delete",
        user={"username": "admin"},
        objectRef={"resource": "rolebindings", "namespace": place},
    )
    asked = event(requestReceivedTimestamp=f"2030-01-02T00:00:{second}.000000Z")
    path = log(tmp_path, removed, asked)
    (call,) = calls(path, "2030")
    assert is_last_breath(call, uninstallations(path, "2030")) is last


def test_rules_grant_every_verb_on_every_resource_of_theirs() -> None:
    rule = {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list", "watch"]}
    assert len(granted([rule])) == 4
    assert Permission("", "events", "watch") in granted([rule])
