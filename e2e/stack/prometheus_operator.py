"""The definitions of the Prometheus operator, from its Go module: its API without its program.

And what the chart makes of them.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from e2e.stack.commands import ROOT, CommandError, kubectl, run
from e2e.stack.installation import NAMESPACE, RELEASE

MODULE = "github.com/prometheus-operator/prometheus-operator"
VERSION = "v0.85.0"
SUM = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
GROUP = "monitoring.coreos.com"
KINDS = {"PodMonitor", "PrometheusRule", "ServiceMonitor"}
PLURALS = ("podmonitors", "prometheusrules", "servicemonitors")


def _files() -> list[Path]:
    said = json.loads(run("go", "mod", "download", "-json", f"{MODULE}@{VERSION}", timeout=300))
    if said["Sum"] != SUM:
        raise CommandError(f"{MODULE}@{VERSION} is {said['Sum']}, not {SUM}")
    folder = Path(said["Dir"]) / "example" / "prometheus-operator-crd"
    return [folder / f"{GROUP}_{each}.yaml" for each in PLURALS]


def define() -> None:
    """Let the API server know the three kinds."""
    for path in _files():
        kubectl("apply", "--server-side", "-f", str(path))
    for each in PLURALS:
        kubectl("wait", "--for=condition=Established", f"crd/{each}.{GROUP}", "--timeout=30s")


def undefine() -> None:
    """Let it forget them, and every object of them."""
    kubectl("delete", "crd", *(f"{each}.{GROUP}" for each in PLURALS), "--ignore-not-found")


def rendered(*options: str) -> dict[str, dict[str, Any]]:
    """Kind → object of the monitors that the chart makes in this cluster, as the cluster is."""
    chart = str(ROOT / "charts" / "qwen-operator")
    place = ("--namespace", NAMESPACE, "--validate", "--is-upgrade")
    said = run("helm", "template", RELEASE, chart, *place, *options)
    found = [each for each in yaml.safe_load_all(said) if each]
    return {each["kind"]: each for each in found if each["kind"] in KINDS}
