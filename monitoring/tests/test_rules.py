"""Every alert fires when it should and only then; rules and runbooks name only what exists."""

import re
from pathlib import Path

import pytest
import yaml

from monitoring.contract import BY_SERIES
from monitoring.documents import alerts as alerts_document
from monitoring.expressions import labels_in, series_in
from monitoring.labels import LABELS
from monitoring.prometheus import install, promtool
from monitoring.rules.document import ALERTS, filled, rule_groups
from monitoring.rules.recordings import RECORDINGS
from monitoring.rules.thresholds import THRESHOLDS
from monitoring.rules.types import Alert
from monitoring.tests.cases import CASES, Series, ended, lost, resource

EXPRESSIONS = {each.name: each.expression for each in ALERTS} | {
    each.name: each.expression for each in RECORDINGS
}


with_promtool = pytest.mark.prometheus


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules with the chart's defaults, in a file."""
    install()
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(filled(yaml.safe_dump(rule_groups())))
    return path


def firing(rules: Path, series: Series, minute: int, expected: dict[str, bool]) -> None:
    """Ask promtool whether each alert fires at a minute, with these series."""
    questions = [
        {
            "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) > 0',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
        }
        for name, fires in expected.items()
    ]
    given = [{"series": name, "values": values} for name, values in series.items()]
    document = {
        "rule_files": [rules.name],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": given, "promql_expr_test": questions}],
    }
    path = rules.with_name("test.yaml")
    path.write_text(yaml.safe_dump(document))
    promtool("test", "rules", path.name, folder=rules.parent)


@with_promtool
def test_promtool_accepts_the_rules(rules: Path) -> None:
    count = len(ALERTS) + len(RECORDINGS)
    assert f"SUCCESS: {count} rules found" in promtool("check", "rules", str(rules))


def test_every_alert_has_a_case_and_every_case_an_alert() -> None:
    assert set(CASES) == {each.name for each in ALERTS}


@with_promtool
@pytest.mark.parametrize("name", CASES)
def test_it_fires_when_that_is_the_case(rules: Path, name: str) -> None:
    case = CASES[name]
    firing(rules, case.fires, case.minute, {name: True})


@with_promtool
@pytest.mark.parametrize("name", CASES)
def test_it_is_silent_when_it_nearly_is(rules: Path, name: str) -> None:
    case = CASES[name]
    firing(rules, case.silent, case.minute, {name: False})


@with_promtool
@pytest.mark.parametrize(
    ("cause", "counts"),
    [("unavailable", True), ("failed", True), ("bad_request", False), ("cancelled", False)],
)
def test_only_refusals_by_our_fault_are_errors(rules: Path, cause: str, counts: bool) -> None:  # noqa: FBT001 - the case
    series = ended("length", 10) | lost(cause, 20)
    firing(rules, series, 40, {"QwenErrorRatioHigh": counts})


@with_promtool
def test_errors_are_seen_when_nothing_is_answered_any_more(rules: Path) -> None:
    stopped = dict.fromkeys(ended("error", 0), "90x60")
    firing(rules, stopped | lost("failed", 3), 40, {"QwenErrorRatioHigh": True})


@with_promtool
def test_the_failure_of_a_lone_request_wakes_nobody(rules: Path) -> None:
    stopped = dict.fromkeys(ended("error", 0), "0x60")
    lone = {name: "0x30 1x30" for name in lost("failed", 0) if "failed" in name}
    firing(rules, stopped | lost("failed", 0) | lone, 36, {"QwenErrorRatioHigh": False})


@with_promtool
def test_a_model_that_is_not_ready_is_told_with_its_reason_and_what_to_do(rules: Path) -> None:
    series = resource("WaitingForGPU", "0x60")
    told = {
        "exp_labels": {"severity": "critical", "namespace": "n", "name": "q", "model": "m"},
        "exp_annotations": {
            "summary": "n/q has not been Ready for 15 minutes",
            "description": "WaitingForGPU: Do it. ",
            "runbook_url": "docs/alerts.md#qwenmodelnotready",
        },
    }
    document = {
        "rule_files": [rules.name],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "alert_rule_test": [
                    {"eval_time": "20m", "alertname": "QwenModelNotReady", "exp_alerts": [told]}
                ],
            }
        ],
    }
    path = rules.with_name("told.yaml")
    path.write_text(yaml.safe_dump(document))
    promtool("test", "rules", path.name, folder=rules.parent)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_it_asks_only_for_series_and_labels_of_the_contract(name: str) -> None:
    recorded = {each.name for each in RECORDINGS}
    known = recorded | set(BY_SERIES)
    assert series_in(EXPRESSIONS[name])
    assert series_in(EXPRESSIONS[name]) <= known
    assert labels_in(EXPRESSIONS[name]) <= set(LABELS) | {"le", "pod", "namespace"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each.name)
def test_its_runbook_is_a_section_of_the_page(alert: Alert) -> None:
    (rule,) = [
        each
        for group in rule_groups()["groups"]
        for each in group["rules"]
        if each.get("alert") == alert.name
    ]
    page, _, anchor = filled(rule["annotations"]["runbook_url"]).partition("#")
    assert page == "docs/alerts.md"
    headings = re.findall(r"^## (.+)$", alerts_document(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w-]", "", each.lower()) for each in headings}


def test_no_place_is_left_open_and_no_threshold_is_unused() -> None:
    text = yaml.safe_dump(rule_groups())
    assert "<<" not in filled(text)
    assert {each.name for each in THRESHOLDS} <= set(re.findall(r"<<(\w+)>>", text))
