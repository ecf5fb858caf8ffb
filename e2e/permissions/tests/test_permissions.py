"""The chart's role is what the operator needs: nothing was refused, and nothing is left over.

It reads what the suites and the integration tests have left in this cluster's audit log, so it
comes after them (`make e2e`). Both ran operators as accounts with the chart's rules alone.
"""

from pathlib import Path

import pytest
import yaml

from e2e.cluster.build import binaries_folder
from e2e.cluster.layout import Layout, state_folder
from e2e.permissions.audit import Call, calls, granted, is_last_breath, uninstallations
from e2e.stack.commands import ROOT, get, use_cluster

pytestmark = pytest.mark.cluster

FILES = ROOT / "charts" / "qwen-operator" / "files"
ACCOUNTS = {
    "system:serviceaccount:qwen-system:qwen-operator",
    "system:serviceaccount:alpha-system:alpha-qwen-operator",
    "system:serviceaccount:qwen-test-account:qwen-operator",
}


@pytest.fixture(scope="module")
def began() -> str:
    use_cluster()
    return str(get("namespace", "kube-system")["metadata"]["creationTimestamp"])


@pytest.fixture(scope="module")
def log() -> Path:
    return Layout(state_folder(), binaries_folder()).log("audit")


@pytest.fixture(scope="module")
def asked(log: Path, began: str) -> list[Call]:
    return list(calls(log, began))


def test_the_operators_of_suites_and_integration_were_here(asked: list[Call]) -> None:
    users = {each.user for each in asked}
    assert not ACCOUNTS - users, "run e2e/suites and the integration first"


def test_nothing_that_an_operator_asked_for_was_forbidden(
    log: Path, began: str, asked: list[Call]
) -> None:
    ends = uninstallations(log, began)
    refused = (each for each in asked if not each.allowed and not is_last_breath(each, ends))
    assert sorted({f"{each.uri} by {each.user}" for each in refused}) == []


def test_every_granted_verb_was_used(asked: list[Call]) -> None:
    rules = [
        rule
        for name in ("rules.yaml", "lease-rules.yaml")
        for rule in yaml.safe_load((FILES / name).read_text())
    ]
    used = {permission for each in asked for permission in each.used}
    assert sorted(str(each) for each in granted(rules) - used) == []


def test_no_rule_reaches_for_more_than_it_names() -> None:
    for name in ("rules.yaml", "lease-rules.yaml"):
        for each in granted(yaml.safe_load((FILES / name).read_text())):
            assert "*" not in (each.group, each.resource, each.verb)
            assert each.resource.partition("/")[0] != "secrets"
            assert each.resource.partition("/")[2] in {"", "status"}
            assert each.verb not in {"escalate", "bind", "impersonate"}
