"""The chart as `helm template` renders it, for tests."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster.build import binaries_folder

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "qwen-operator"
PUBLISHED = ROOT / "charts" / "published" / "qwen-operator-0.1.0.tgz"
"""The chart that users may have; a release puts its own package in this one's place."""
MONITORS = ("PodMonitor", "PrometheusRule", "ServiceMonitor")

Json = dict[str, Any]


def helm(
    *options: str,
    apis: tuple[str, ...] = (),
    release: str = "release",
    namespace: str = "system",
) -> subprocess.CompletedProcess[str]:
    """Render for a release in a namespace, where these monitoring kinds are."""
    command = [str(binaries_folder() / "helm"), "template", release, str(CHART)]
    for api in apis:
        command += ["--api-versions", f"monitoring.coreos.com/v1/{api}"]
    return subprocess.run(
        [*command, "--namespace", namespace, *options], capture_output=True, text=True, check=False
    )


def render(
    *options: str,
    apis: tuple[str, ...] = (),
    release: str = "release",
    namespace: str = "system",
) -> list[Json]:
    """The objects that the chart makes."""
    done = helm(*options, apis=apis, release=release, namespace=namespace)
    assert done.returncode == 0, done.stderr  # noqa: S101 - only tests call it
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(documents: list[Json], kind: str) -> list[Json]:
    """Those of a kind."""
    return [each for each in documents if each["kind"] == kind]


def one(documents: list[Json], kind: str) -> Json:
    """The only one of a kind."""
    (found,) = of_kind(documents, kind)
    return found
