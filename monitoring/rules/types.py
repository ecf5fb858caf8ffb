"""What a recording rule, an alert and its runbook are made of."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Who is told, and when."""

    CRITICAL = "critical"
    """Users are hurt now: wake somebody."""
    WARNING = "warning"
    """It will hurt, or hurts a little: look at it today."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A figure that depends on the installation; a value of the chart with this default.

    Attributes:
        name: below prometheusRule.thresholds in values.yaml.
        default: what suits most.
        unit: as the values' comment says it.
        meaning: what is compared with it.
    """

    name: str
    default: float
    unit: str
    meaning: str

    def __str__(self) -> str:
        return f"<<{self.name}>>"


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that Prometheus computes and keeps.

    Attributes:
        name: of the new series.
        expression: PromQL.
        meaning: what a value says, with its unit.
    """

    name: str
    expression: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert and its runbook.

    Attributes:
        name: as Alertmanager shows it.
        severity: who is told.
        expression: PromQL; true while something is wrong.
        lasting: how long it must be true.
        summary: one line; Prometheus fills in labels and the value.
        description: what the page says beside it; the same.
        means: what is the case, for the runbook.
        look: what to look at, a command or a panel a line.
        remedy: what to do then.
    """

    name: str
    severity: Severity
    expression: str
    lasting: str
    summary: str
    description: str
    means: str
    look: tuple[str, ...]
    remedy: str

    @property
    def anchor(self) -> str:
        """Of its section in docs/alerts.md, as GitHub makes it."""
        return re.sub(r"[^a-z0-9-]", "", self.name.lower())
