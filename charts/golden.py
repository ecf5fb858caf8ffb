"""What the chart renders, kept to be looked at: `python -m charts.golden` writes it anew.

Three cases: no values at all, two operators and closed networks where the cluster has every API,
and every value changed. Long texts that are generated and compared elsewhere (definition, rules,
dashboards) are left out.
"""

import sys
from pathlib import Path
from typing import Any, Final

import yaml

from charts.rendering import MONITORS, ROOT, render

FOLDER: Final = ROOT / "charts" / "tests" / "golden"
FULL: Final = ROOT / "charts" / "tests" / "full-values.yaml"
CASES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "default": ((), ()),
    "two-operators": (
        ("--set", "replicas=2,networkPolicy.enabled=true,networkPolicy.models.namespaces={team}"),
        MONITORS,
    ),
    "full": (("--values", str(FULL)), MONITORS),
}
"""Name → options of helm template, and the monitoring kinds that the cluster has."""
_ELSEWHERE: Final = {
    "CustomResourceDefinition": ("spec", "crds/qwendeployments.yaml"),
    "PrometheusRule": ("spec", "files/prometheus-rules.yaml"),
    "ConfigMap": ("data", "dashboards/"),
}


def _shortened(document: dict[str, Any]) -> dict[str, Any]:
    if document["kind"] in _ELSEWHERE:
        field, place = _ELSEWHERE[document["kind"]]
        return {**document, field: f"(see {place})"}
    return document


def rendered(case: str) -> str:
    """A case as it should stand in its file."""
    options, apis = CASES[case]
    documents = [_shortened(each) for each in render(*options, apis=apis)]
    return yaml.safe_dump_all(documents, sort_keys=False, width=100)


def path(case: str) -> Path:
    """The file of a case."""
    return FOLDER / f"{case}.yaml"


def main() -> int:
    """Write all cases."""
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        path(case).write_text(rendered(case), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
