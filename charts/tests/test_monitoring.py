"""What Prometheus and Grafana get from the chart, and only where they are."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from charts import rendering
from charts.rendering import CHART, MONITORS, ROOT, Json, of_kind, one
from e2e.cluster.build import binaries_folder
from monitoring.boards import panels
from monitoring.documents import alerts as alerts_document
from monitoring.prometheus import install, promtool
from monitoring.rules.document import ALERTS, filled, rule_groups
from monitoring.rules.thresholds import THRESHOLDS

pytestmark = pytest.mark.cluster


def render(*options: str, apis: tuple[str, ...] = MONITORS) -> list[Json]:
    return rendering.render(*options, apis=apis)


@pytest.mark.parametrize("kind", MONITORS)
def test_each_is_made_only_where_its_api_is_and_its_switch_is_on(kind: str) -> None:
    switch = kind[0].lower() + kind[1:]
    assert one(render(apis=(kind,)), kind)
    assert of_kind(render(apis=tuple(set(MONITORS) - {kind})), kind) == []
    assert of_kind(render("--set", f"{switch}.enabled=false"), kind) == []


@pytest.mark.parametrize("kind", MONITORS)
def test_each_gets_the_labels_that_prometheus_selects_by(kind: str) -> None:
    switch = kind[0].lower() + kind[1:]
    made = one(render("--set", f"{switch}.labels.release=stack"), kind)
    assert made["metadata"]["labels"]["release"] == "stack"


def test_the_operator_s_monitor_finds_its_service_and_the_service_its_pods() -> None:
    made = render()
    monitor, service = one(made, "ServiceMonitor"), one(made, "Service")
    pod = one(made, "Deployment")["spec"]["template"]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    (port,) = service["spec"]["ports"]
    assert endpoint["port"] == port["name"]
    assert endpoint["honorLabels"] is True
    assert pod["spec"]["containers"][0]["ports"] == [
        {"name": port["targetPort"], "containerPort": 8080}
    ]
    assert pod["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8080",
    }


def test_the_pods_monitor_finds_the_pods_that_the_operator_renders() -> None:
    spec = one(render(), "PodMonitor")["spec"]
    case = ROOT / "operator/tests/unit/cases/recipe-on-a-gpu/children.yaml"
    (deployment,) = of_kind(yaml.safe_load(case.read_text()), "Deployment")
    template = deployment["spec"]["template"]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = spec["podMetricsEndpoints"]
    ports = {each["name"]: each for each in template["spec"]["containers"][0]["ports"]}
    assert ports[endpoint["port"]]["containerPort"] == 8002
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "8002"


def test_the_pods_monitor_looks_where_the_operator_does() -> None:
    assert one(render(), "PodMonitor")["spec"]["namespaceSelector"] == {"any": True}
    named = one(render("--set", "watchNamespaces={one,two}"), "PodMonitor")["spec"]
    assert named["namespaceSelector"] == {"matchNames": ["one", "two"]}


def test_the_rules_are_those_of_the_generator_and_promtool_takes_them(tmp_path: Path) -> None:
    spec = one(render(), "PrometheusRule")["spec"]
    assert spec == yaml.safe_load(filled(yaml.safe_dump(rule_groups())))
    install()
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(spec))
    assert "SUCCESS" in promtool("check", "rules", str(path))


def test_the_chart_s_thresholds_are_the_generator_s() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["prometheusRule"]["thresholds"] == {
        each.name: each.default for each in THRESHOLDS
    }


def rules(*options: str) -> dict[str, dict[str, Any]]:
    groups = one(render(*options), "PrometheusRule")["spec"]["groups"]
    return {each["alert"]: each for group in groups for each in group["rules"] if "alert" in each}


def test_a_threshold_a_runbook_address_and_labels_can_be_chosen() -> None:
    made = rules(
        "--set",
        "prometheusRule.thresholds.errorRatio=0.25,prometheusRule.alertLabels.team=ml",
        "--set",
        "prometheusRule.runbooks=https://git.example/qwen/docs/alerts.md",
    )
    alert = made["QwenErrorRatioHigh"]
    assert alert["expr"].startswith("qwen_model:request_errors:ratio_rate5m > 0.25 and")
    assert alert["labels"] == {"severity": "critical", "team": "ml"}
    pages = {each["annotations"]["runbook_url"].partition("#")[0] for each in made.values()}
    assert pages == {"https://git.example/qwen/docs/alerts.md"}


def test_every_runbook_is_a_section_of_the_committed_page() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    assert page == alerts_document()
    headings = {each.lower() for each in re.findall(r"^## (\w+)$", page, re.MULTILINE)}
    for alert in rules().values():
        assert alert["annotations"]["runbook_url"].partition("#")[2] in headings


def test_alerts_can_be_left_out_by_name() -> None:
    left = rules("--set", "prometheusRule.disabled={QwenPreemptions,QwenOperatorTwoLeaders}")
    assert {each.name for each in ALERTS} - set(left) == {
        "QwenPreemptions",
        "QwenOperatorTwoLeaders",
    }


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("prometheusRule.disabled={QwenNoSuchAlert}", "there is no alert QwenNoSuchAlert"),
        ("prometheusRule.thresholds.errorRatio=5", "errorRatio"),
        ("prometheusRule.thresholds.errorRatio=1.5", "errorRatio"),
        ("prometheusRule.thresholds.queueTimeP95Seconds=0", "queueTimeP95Seconds"),
        ("prometheusRule.thresholds.errorRatoi=0.1", "errorRatoi"),
        ("prometheusRule.thresholds.kvCacheUsage=null", "kvCacheUsage"),
        ("podMonitor.interval=often", "interval"),
        ("dashboards.namespace=Not_A_Name", "namespace"),
        ("dashboards.labels=null", "labels"),
    ],
)
def test_a_wrong_value_is_refused_by_name(value: str, named: str) -> None:
    done = rendering.helm("--set", value, apis=MONITORS)
    assert done.returncode != 0
    assert named in done.stderr


def test_dashboards_are_config_maps_for_the_sidecar_when_switched_on() -> None:
    assert of_kind(render(), "ConfigMap") == []
    made = of_kind(
        render(
            "--set",
            "dashboards.enabled=true,dashboards.namespace=grafana",
            "--set",
            "dashboards.annotations.grafana_folder=Qwen",
        ),
        "ConfigMap",
    )
    files = {name: text for each in made for name, text in each["data"].items()}
    folder = CHART / "dashboards"
    assert files == {path.name: path.read_text() for path in folder.glob("*.json")}
    assert {json.loads(text)["uid"] for text in files.values()} == {
        name.removesuffix(".json") for name in files
    }
    for each in made:
        assert each["metadata"]["namespace"] == "grafana"
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"] == {"grafana_folder": "Qwen"}


def test_the_price_of_a_gpu_is_where_the_dashboard_starts_from() -> None:
    made = of_kind(
        render("--set", "dashboards.enabled=true,dashboards.gpuPricePerHour=2.49"), "ConfigMap"
    )
    files = {name: json.loads(text) for each in made for name, text in each["data"].items()}
    fleet = files["qwen-fleet.json"]
    (price,) = [each for each in fleet["templating"]["list"] if each["name"] == "gpu_price"]
    assert (price["query"], price["current"]["value"]) == ("2.49", "2.49")
    plain = json.loads((CHART / "dashboards" / "qwen-fleet.json").read_text())
    assert fleet["panels"] == plain["panels"]


def test_what_the_dashboards_are_excused_from_is_there() -> None:
    excused = yaml.safe_load((CHART / "dashboards" / ".lint").read_text())["exclusions"]
    titles = {each.title for each in panels()}
    for each in excused["panel-units-rule"]["entries"]:
        assert each["panel"] in titles
    assert all(len(each["reason"]) > 20 for each in excused.values())


def documented(word: str) -> str:
    """The command of docs/monitoring.md that holds a word."""
    page = (ROOT / "docs" / "monitoring.md").read_text()
    (found,) = [each for each in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if word in each]
    return str(found)


def shell(command: str, folder: Path) -> str:
    path = f"{binaries_folder()}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_documented_way_to_a_file_of_rules_works(tmp_path: Path) -> None:
    install()
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    assert "SUCCESS" in shell(documented("promtool"), tmp_path)
    written = yaml.safe_load((tmp_path / "qwen-rules.yaml").read_text())
    assert written == one(render(), "PrometheusRule")["spec"]


def test_the_documented_installation_labels_what_prometheus_and_grafana_look_for() -> None:
    apis = " ".join(f"--api-versions monitoring.coreos.com/v1/{each}" for each in MONITORS)
    command = documented("helm upgrade").replace("helm upgrade --install", f"helm template {apis}")
    command = command.replace("--reset-then-reuse-values", "")
    made = [each for each in yaml.safe_load_all(shell(command, ROOT)) if each]
    for kind in MONITORS:
        assert one(made, kind)["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert len(of_kind(made, "ConfigMap")) == 3
    assert {each["metadata"]["namespace"] for each in of_kind(made, "ConfigMap")} == {"monitoring"}
