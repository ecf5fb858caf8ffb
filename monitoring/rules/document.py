"""The rules as Prometheus reads them, with places for the chart's values."""

from typing import Any, Final

from monitoring.rules.models import MODELS
from monitoring.rules.operator import OPERATOR
from monitoring.rules.recordings import RECORDINGS
from monitoring.rules.thresholds import THRESHOLDS
from monitoring.rules.types import Alert

ALERTS: Final = (*MODELS, *OPERATOR)
RUNBOOKS: Final = "<<runbooks>>"
DEFAULT_RUNBOOKS: Final = "docs/alerts.md"

Json = dict[str, Any]


def _alert(alert: Alert) -> Json:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasting,
        "labels": {"severity": alert.severity.value},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{RUNBOOKS}#{alert.anchor}",
        },
    }


def rule_groups() -> Json:
    """`groups` with <<places>> where the chart puts thresholds and the runbooks' address."""
    recordings = [{"record": each.name, "expr": each.expression} for each in RECORDINGS]
    return {
        "groups": [
            {"name": "qwen-model.recordings", "rules": recordings},
            {"name": "qwen-model.alerts", "rules": [_alert(each) for each in MODELS]},
            {"name": "qwen-operator.alerts", "rules": [_alert(each) for each in OPERATOR]},
        ]
    }


def filled(text: str, *, runbooks: str = DEFAULT_RUNBOOKS) -> str:
    """The text with the defaults in its places, as the chart fills them in."""
    for threshold in THRESHOLDS:
        text = text.replace(str(threshold), f"{threshold.default:g}")
    return text.replace(RUNBOOKS, runbooks)
