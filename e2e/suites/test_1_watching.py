"""What an administrator watches: a real Prometheus on the real operator and model pod.

Two of them, and with each every panel of every dashboard and every rule must have something to work
with. One finds its targets as docs/prometheus.yaml says, by their annotations. Debian builds its
Prometheus without Kubernetes discovery: what that would tell of each pod is told by this test, and
the example's own relabelling chooses from it. The other, a newer one that discovers by itself, runs
what the Prometheus operator's generator makes of the chart's monitors, as the API server has them.
"""

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.scraping import monitored
from e2e.stack import clients, prometheus_operator
from e2e.stack.commands import ROOT, get, kubectl, run
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.installation import RELEASE
from e2e.stack.models import NAMESPACE, Model, eventually
from e2e.suites.traffic import varied_traffic
from monitoring.contract import METRICS, Source
from monitoring.evaluation import firing, panel_complaints, rule_complaints
from monitoring.pages import complaints
from monitoring.prometheus import Prometheus, install, running

_SETTLE_SECONDS = 60
SCRAPE_SECONDS = 1
VARIABLES = {
    "namespace": NAMESPACE,
    "model": "tiny",
    "pod": ".*",
    "operator_namespace": ".*",
    "gpu_price": "2.5",
    "__rate_interval": f"{15 * SCRAPE_SECONDS}s",
}


def rules_of_the_chart() -> str:
    """What a cluster with the Prometheus operator would get."""
    options = ("--api-versions", "monitoring.coreos.com/v1/PrometheusRule")
    chart = str(ROOT / "charts" / "qwen-operator")
    made = run("helm", "template", "q", chart, *options, "-s", "templates/prometheusrule.yaml")
    return yaml.safe_dump(yaml.safe_load(made)["spec"])


def _meta(name: str, value: str) -> dict[str, str]:
    return {f"__meta_kubernetes_{re.sub(r'[^a-zA-Z0-9_]', '_', name)}": value}


def discovered() -> list[dict[str, Any]]:
    """What Prometheus' discovery of role pod tells: a target for each port of each container."""
    made = []
    for pod in get("pods", "-A")["items"]:
        metadata, address = pod["metadata"], pod["status"].get("podIP", "")
        told = _meta("namespace", metadata["namespace"]) | _meta("pod_name", metadata["name"])
        told |= _meta("pod_ip", address)
        for kind in ("label", "annotation"):
            for key, value in metadata.get(f"{kind}s", {}).items():
                told |= _meta(f"pod_{kind}_{key}", value)
        for container in pod["spec"]["containers"]:
            for port in container.get("ports", [{"containerPort": 0}]):
                target = f"{address}:{port['containerPort']}"
                made.append({"targets": [target], "labels": told})
    return made


def by_annotations() -> dict[str, Any]:
    """The example, for a Prometheus beside the cluster."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "prometheus.yaml").read_text())
    (job,) = found["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    job["static_configs"] = discovered()
    return found


def by_monitors() -> dict[str, Any]:
    """What the Prometheus operator would write, of monitors that the API server took."""
    every = f"{SCRAPE_SECONDS}s"
    options = ("--set", f"serviceMonitor.interval={every},podMonitor.interval={every}")

    def rendered() -> dict[str, dict[str, Any]] | None:
        made = prometheus_operator.rendered(*options)
        return made if made.keys() == prometheus_operator.KINDS else None

    # The API server tells of new kinds a moment after it has established them.
    made = eventually("the chart makes monitors", rendered)
    taken = []
    for kind in ("ServiceMonitor", "PodMonitor"):
        kubectl("apply", "-f", "-", given=yaml.safe_dump(made[kind]))
        taken.append(get(kind, made[kind]["metadata"]["name"], "-n", OPERATOR_NAMESPACE))
    return monitored.configuration(taken, os.environ["KUBECONFIG"])


@dataclass(frozen=True)
class Watcher:
    """A Prometheus, and the jobs that its series of the operator and of the model must have."""

    prometheus: Prometheus
    jobs: dict[Source, str]


@contextlib.contextmanager
def watching(
    folder: Path, configuration: dict[str, Any], program: str = "prometheus"
) -> Iterator[Prometheus]:
    """A Prometheus in a hurry, once it has both targets."""
    folder.mkdir()
    every = f"{SCRAPE_SECONDS}s"
    configuration.setdefault("global", {}).update(scrape_interval=every, evaluation_interval=every)
    configuration["rule_files"] = ["qwen-rules.yaml"]
    (folder / "qwen-rules.yaml").write_text(rules_of_the_chart())
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    place = (folder / "prometheus.yaml", folder / "data", port)
    with running(*place, program=program) as server:
        for series in ("qwen_engine_up", "qwen_operator_build_info"):
            eventually(f"{series} is scraped", partial(server.query, series))
        yield server


@pytest.fixture(scope="module")
def watchers(
    shared_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Watcher]]:
    """Both, once the model has answered for a while."""
    install()
    program = monitored.prometheus()
    folder = tmp_path_factory.mktemp("prometheus")
    shared_model.wait_ready()
    with contextlib.ExitStack() as undo:
        undo.callback(prometheus_operator.undefine)
        prometheus_operator.define()
        debian = undo.enter_context(watching(folder / "annotations", by_annotations()))
        newer = undo.enter_context(watching(folder / "monitors", by_monitors(), program))
        address = clients.service_address(shared_model.name, NAMESPACE)
        varied_traffic(f"http://{address}:8000", shared_model.name, seconds=20)
        of_pods = f"{OPERATOR_NAMESPACE}/{RELEASE}-models"
        yield {
            "annotations": Watcher(debian, dict.fromkeys(Source, "qwen")),
            "monitors": Watcher(newer, {Source.OPERATOR: RELEASE, Source.POD: of_pods}),
        }


@pytest.fixture(params=["annotations", "monitors"])
def watcher(watchers: dict[str, Watcher], request: pytest.FixtureRequest) -> Watcher:
    return watchers[request.param]


@pytest.fixture
def prometheus(watcher: Watcher) -> Prometheus:
    return watcher.prometheus


def test_both_targets_are_found_and_answer(prometheus: Prometheus) -> None:
    targets = prometheus.ask("targets", state="active")["activeTargets"]
    assert {each["health"] for each in targets} == {"up"}
    assert sorted(each["scrapeUrl"].rpartition(":")[2] for each in targets) == [
        "8002/metrics",
        "8080/metrics",
    ]


def test_series_keep_the_namespaces_that_they_speak_of(watcher: Watcher) -> None:
    model = f'namespace="{NAMESPACE}",model="tiny"'
    for series, source in (
        ("qwen_operator_resource_ready", Source.OPERATOR),
        ("qwen_engine_up", Source.POD),
    ):
        (found,) = watcher.prometheus.query(f"{series}{{{model}}}")
        assert found["metric"]["job"] == watcher.jobs[source]
        assert found["value"][1] == "1"


def settled(look: Callable[[], list[str]]) -> list[str]:
    """What is complained of in the end: after a failed scrape there is nothing for a second."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(1)
    return found


def test_every_panel_of_every_dashboard_has_an_answer(prometheus: Prometheus) -> None:
    assert settled(partial(panel_complaints, prometheus, VARIABLES, has_gpus=False)) == []


def test_every_rule_works_on_what_was_scraped(prometheus: Prometheus) -> None:
    assert settled(partial(rule_complaints, prometheus)) == []


def test_no_alert_fires_about_a_model_that_serves(prometheus: Prometheus) -> None:
    assert firing(prometheus) == set()


@pytest.mark.parametrize("source", Source, ids=lambda each: each.name.lower())
def test_what_they_show_is_exactly_the_contract(prometheus: Prometheus, source: Source) -> None:
    port = {Source.OPERATOR: "8080", Source.POD: "8002"}[source]
    targets = prometheus.ask("targets", state="active")["activeTargets"]
    (url,) = {each["scrapeUrl"] for each in targets if f":{port}/" in each["scrapeUrl"]}
    absent = frozenset(each.name for each in METRICS if each.gpu_only)
    assert complaints(clients.page(url), source, absent=absent) == []
