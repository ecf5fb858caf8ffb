"""Trivy's and Polaris' checks, as data, over all that chart and operator make."""

from collections import Counter
from typing import Any

import pytest

from charts.rules import Finding, findings, has_no_reason, holds, is_excused, known, rendered

RULES: list[dict[str, Any]] = known()["rules"]


@pytest.fixture(scope="module")
def found() -> set[Finding]:
    return findings(rendered())


def test_nothing_is_found_that_has_no_reason(found: set[Finding]) -> None:
    assert [each for each in sorted(found) if not is_excused(each)] == []


def test_every_reason_is_still_needed(found: set[Finding]) -> None:
    excused = {
        (name, of) for each in known()["excused"] for name in each["ids"] for of in each["of"]
    }
    assert excused <= {(each.id, each.of) for each in found}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["ids"][0]))
def test_every_rule_finds_what_is_bad(rule: dict[str, Any]) -> None:
    assert not holds(rule["must"], rule["bad"])


def test_every_rule_is_one_that_something_here_could_break() -> None:
    seen = {"container", "controller", "pod", "object", "Rule", "Binding"}
    seen |= {each["kind"] for each in rendered()}
    assert {rule["subject"] for rule in RULES} <= seen


def test_every_check_of_theirs_is_named_once() -> None:
    names = [name for each in [*RULES, *known()["elsewhere"]] for name in each["ids"]]
    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_a_reason_counts_under_each_name_of_its_rule_and_for_those_it_speaks_of() -> None:
    assert not has_no_reason(Finding("cpuLimitsMissing", "model", "Deployment/q"))
    assert not has_no_reason(Finding("missingNetworkPolicy", "model", "Deployment/q"))
    assert has_no_reason(Finding("memoryLimitsMissing", "operator", "Deployment/qwen-operator"))
    assert has_no_reason(Finding("a-check-of-tomorrow", "model", "Deployment/q"))
