"""kube-score's rules over the chart and over what the operator makes."""

import pytest

from charts.lint import EXCUSED, Finding, excuse, kube_score, objects, unexcused

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return kube_score()


def test_nothing_is_found_that_has_no_reason(findings: list[Finding]) -> None:
    assert unexcused(findings) == []


def test_every_reason_of_a_rule_of_kube_score_is_still_needed(findings: list[Finding]) -> None:
    others = {"unset-cpu-requirements", "unset-memory-requirements"}
    used = {excuse(each) for each in findings}
    assert {key for key in EXCUSED if key[0] not in others} == used


def test_both_the_chart_s_and_the_operator_s_objects_are_looked_at() -> None:
    kinds = [each["kind"] for each in objects()]
    assert kinds.count("Deployment") == 3
    assert {"NetworkPolicy", "PodDisruptionBudget", "Service", "ConfigMap"} <= set(kinds)
