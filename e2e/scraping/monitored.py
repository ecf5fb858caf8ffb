"""A Prometheus as the Prometheus operator would run it: its configuration, and what it finds.

Debian builds its Prometheus without Kubernetes discovery; this one comes from its Go module.
"""

from pathlib import Path
from typing import Any, Final

import yaml

from e2e.stack.commands import run
from e2e.stack.gotool import gotool

_FOLDER: Final = Path(__file__).parent
_PACKAGE: Final = "github.com/prometheus/prometheus/cmd/prometheus"
# Of the two dozen discoveries only the one that is asked for.
_TAGS: Final = "remove_all_sd,enable_kubernetes_sd"
VERSION: Final = "3.11.3"
"""What go.mod calls v0.311.3."""


def prometheus() -> str:
    """The program, of version VERSION."""
    return str(gotool(_FOLDER / "prometheus", _PACKAGE, _TAGS))


def configuration(monitors: list[dict[str, Any]], kubeconfig: str) -> dict[str, Any]:
    """What the Prometheus operator's generator makes of ServiceMonitors and PodMonitors.

    Changed in it: the place-holders that its reloader fills in beside Prometheus, and how a
    Prometheus outside of the cluster reaches the API server.
    """
    program = str(gotool(_FOLDER / "monitors"))
    made = run(program, VERSION, given=yaml.safe_dump_all(monitors))
    made = made.replace("$(SHARD)", "0").replace("$(POD_NAME)", "prometheus-0")
    found: dict[str, Any] = yaml.safe_load(made)
    for job in found["scrape_configs"]:
        for discovery in job["kubernetes_sd_configs"]:
            discovery["kubeconfig_file"] = kubeconfig
    return found
