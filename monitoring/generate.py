"""Write what is made from this package: rules, dashboards, docs.

`python -m monitoring.generate` writes, `--check` compares and fails on drift.
"""

import sys
from pathlib import Path

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from charts.drift import write_or_check
from monitoring import documents
from monitoring.dashboards.fleet import fleet
from monitoring.dashboards.model import model
from monitoring.dashboards.operator import operator
from monitoring.rules.document import rule_groups

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "qwen-operator"


def dashboards() -> dict[str, str]:
    """File name → JSON of every dashboard."""
    made = [board().build() for board in (fleet, model, operator)]
    return {
        f"{each.uid}.json": JSONEncoder(sort_keys=True, indent=1).encode(each) + "\n"
        for each in made
    }


def outputs() -> dict[Path, str]:
    """Every generated file with its content."""
    rules = yaml.safe_dump(rule_groups(), sort_keys=False, width=100, allow_unicode=True)
    data = yaml.safe_dump(
        documents.alerts_as_data(), sort_keys=False, width=100, allow_unicode=True
    )
    return {
        ROOT / "operator" / "src" / "qwenctl" / "data" / "alerts.yaml": (
            f"# {documents.NOTICE}\n{data}"
        ),
        CHART / "files" / "prometheus-rules.yaml": f"# {documents.NOTICE}\n{rules}",
        **{CHART / "dashboards" / name: text for name, text in dashboards().items()},
        ROOT / "docs" / "metrics.md": documents.metrics(),
        ROOT / "docs" / "alerts.md": documents.alerts(),
    }


if __name__ == "__main__":
    sys.exit(write_or_check(outputs(), ROOT, __doc__))
