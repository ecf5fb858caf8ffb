"""The chart renders what it promises, and refuses values that it does not know."""

from typing import Any

import pytest
import yaml

from charts import golden
from charts.rendering import CHART, MONITORS, PUBLISHED, ROOT, helm, of_kind, one, render
from qwen_operator.settings import Settings

pytestmark = pytest.mark.cluster


def kinds(documents: list[dict[str, Any]]) -> list[str]:
    return sorted(each["kind"] for each in documents)


def roles(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Namespace and name → role; the lease's beside those of watched namespaces."""
    return {
        f"{each['metadata']['namespace']}/{each['metadata']['name']}": each
        for each in documents
        if each["kind"] == "Role"
    }


def environment(documents: list[dict[str, Any]]) -> dict[str, str]:
    (container,) = one(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_no_values_at_all_watch_the_whole_cluster() -> None:
    assert kinds(render()) == [
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Deployment",
        "Pod",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
    ]


def test_named_namespaces_get_a_role_each_and_no_cluster_role() -> None:
    made = render("--set", "watchNamespaces={one,two}")
    assert "ClusterRole" not in kinds(made)
    assert set(roles(made)) == {
        "one/qwen-operator",
        "two/qwen-operator",
        "system/release-qwen-operator-lease",
    }
    assert environment(made)["QWEN_OPERATOR_WATCH_NAMESPACES"] == "one,two"


def test_the_role_is_exactly_what_the_code_declares() -> None:
    declared = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
    assert one(render(), "ClusterRole")["rules"] == declared
    named = roles(render("--set", "watchNamespaces={one}"))
    assert named["one/qwen-operator"]["rules"] == declared
    lease = yaml.safe_load((CHART / "files" / "lease-rules.yaml").read_text())
    assert named["system/release-qwen-operator-lease"]["rules"] == lease
    assert not any("*" in each["verbs"] + each["resources"] for each in declared + lease)


def test_operators_of_one_release_share_a_lease_in_its_namespace() -> None:
    made = render("--set", "replicas=2")
    assert one(made, "Deployment")["spec"]["replicas"] == 2
    assert environment(made)["QWEN_OPERATOR_LEASE_NAMESPACE"] == "system"
    assert environment(made)["QWEN_OPERATOR_LEASE_NAME"] == "release-qwen-operator"


def test_the_definition_is_kept_on_uninstall_and_can_be_left_out() -> None:
    definition = one(render(), "CustomResourceDefinition")
    assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    generated = yaml.safe_load((ROOT / "crds" / "qwendeployments.yaml").read_text())
    assert definition["spec"] == generated["spec"]
    assert "CustomResourceDefinition" not in kinds(render("--set", "crds.install=false"))
    given_up = one(render("--set", "crds.keep=false"), "CustomResourceDefinition")
    assert given_up["metadata"]["annotations"] == {"helm.sh/resource-policy": "delete"}


def test_the_operator_s_pod_is_restricted() -> None:
    pod = one(render(), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_digest_wins_over_a_tag() -> None:
    digest = "sha256:" + "a" * 64
    made = render("--set", f"image.repository=r/q,image.tag=v1,image.digest={digest}")
    image = one(made, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"r/q@{digest}"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("image.tga=1", "tga"),
        ("logLevel=loud", "logLevel"),
        ("scrapeIntervalSeconds=0", "scrapeIntervalSeconds"),
        ("watchNamespaces={Not_A_Name}", "watchNamespaces"),
        ("image.digest=abc", "digest"),
        ("replicas=9", "replicas"),
        ("replicas=null", "replicas"),
        ("image.repository=", "repository"),
        ("extraEnv[0].value=1", "name"),
        ("extraEnv[0].name=QWEN_OPERATOR_LOG_LEVEL", "QWEN_OPERATOR_LOG_LEVEL is set by a value"),
        ("extraEnv[0].name=A,extraEnv[1].name=A", "A is there twice"),
        ("extraEnv[0].name=A,extraEnv[0].valueFrom.secret=1", "extraEnv/0/valueFrom"),
        ("commonLabels.app\\.kubernetes\\.io/name=mine", "/commonLabels/app.kubernetes.io"),
        ("podLabels.ü=x", "at '/podLabels': additional properties 'ü'"),
        ("podAnnotations.not a key=x", "podAnnotations"),
        ("nodeSelector.a=b c", "nodeSelector"),
        ("prometheusRule.alertLabels.a-b=x", "alertLabels"),
        ("image.tag=a tag", "tag"),
        ("image.repository=A repository", "repository"),
        ("imagePullSecrets={Not_A_Name}", "imagePullSecrets"),
        ("priorityClassName=Not_A_Name", "priorityClassName"),
        ("watchNamespaces={one,one}", "watchNamespaces"),
        ("resources.requests.cpu=much", "resources/requests/cpu"),
        ("resources.limits.cpu=-1", "resources/limits/cpu"),
        ("resources.limit.cpu=1", "limit"),
        ("tolerations[0].operator=Maybe", "tolerations/0/operator"),
        ("affinity.nodes.x=y", "affinity"),
        ("networkPolicy.models.egress[0].from=x", "egress"),
        ("networkPolicy.metricsFrom[0].ipBlock.cidr=all", "cidr"),
        ("networkPolicy.dns[0].ipBlock.cidr=10.0.0.0/33", "cidr"),
        ("networkPolicy.dns[0].ipBlock.cidr=10.0.0.256/32", "cidr"),
        ("tolerations[0].operator=Exists,tolerations[0].value=x", "tolerations/0/value"),
        (
            "extraEnv[0].name=A,extraEnv[0].value=x,extraEnv[0].valueFrom.fieldRef.a=b",
            "got 3, want 2",
        ),
        ("page.enabled=true,page.port=8080", "page.port: 8080 is the port"),
        ("podLabels.x=not a label!", "podLabels"),
        ("test.models={tiny}", "models"),
        ("networkPolicy.dns=null", "dns"),
        ("networkPolicy.apiServerPorts={0}", "apiServerPorts"),
        ("networkPolicy.metricsFrom[0].podSelektor.x=y", "podSelektor"),
        ("allowTrustRemoteCode=perhaps", "allowTrustRemoteCode"),
        ("dashboards.gpuPricePerHour=-1", "gpuPricePerHour"),
    ],
)
def test_a_wrong_value_is_refused_by_name(value: str, named: str) -> None:
    done = helm("--set", value)
    assert done.returncode != 0
    assert named in done.stderr


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("q", "q-qwen-operator"),
        ("qwen-operator", "qwen-operator"),
        ("1.2", "qwen-operator-1-2"),
        ("my.release", "my-release-qwen-operator"),
        ("a" * 53, "a" * 53),
    ],
)
def test_a_service_s_name_follows_from_whatever_name_helm_takes(release: str, name: str) -> None:
    made = render(release=release)
    assert one(made, "Service")["metadata"]["name"] == name
    assert one(made, "Service")["spec"]["selector"]["app.kubernetes.io/instance"] == release
    assert all(len(each["metadata"]["name"]) <= 63 for each in made)


def test_addresses_of_both_families_are_taken() -> None:
    for cidr in ("10.0.0.0/8", "0.0.0.0/0", "192.168.255.255/32", "::/0", "fd00::1.2.3.4/128"):
        assert helm("--set", f"networkPolicy.dns[0].ipBlock.cidr={cidr}").returncode == 0


def test_names_and_texts_that_yaml_takes_for_something_else_stay_what_they_are() -> None:
    names = "imagePullSecrets={12},serviceAccount.name=0x1f,priorityClassName=1,image.repository=12"
    made = render(
        "--set-string", names, "--set-string", "image.tag=30,dashboards.namespace=7",
        "--set-string", "watchNamespaces={1e3,true}", "--set-string", "test.prompt=Who: is #1?",
        "--set", "networkPolicy.enabled=true,networkPolicy.defaultDeny=true",
        "--set", "dashboards.enabled=true",
        apis=MONITORS, release="123", namespace="456",
    )  # fmt: skip
    for each in made:
        marks = each["metadata"]
        assert isinstance(marks.get("namespace", ""), str), each["kind"]
        assert all(isinstance(label, str) for label in marks.get("labels", {}).values())
    pod = one(made, "Deployment")["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "12"}]
    assert (pod["serviceAccountName"], pod["priorityClassName"]) == ("0x1f", "1")
    assert pod["containers"][0]["image"] == "12:30"
    assert one(made, "ServiceMonitor")["spec"]["namespaceSelector"]["matchNames"] == ["456"]
    assert one(made, "Pod")["spec"]["containers"][0]["args"][1] == "--prompt=Who: is #1?"


@pytest.mark.parametrize("case", golden.CASES)
def test_it_renders_what_was_looked_at(case: str) -> None:
    """`python -m charts.golden` writes the files anew; look at what changes."""
    assert golden.rendered(case) == golden.path(case).read_text(encoding="utf-8")


def test_a_fraction_of_a_second_may_come_from_the_command_line() -> None:
    made = render("--set", "scrapeIntervalSeconds=0.5")
    assert environment(made)["QWEN_OPERATOR_SCRAPE_INTERVAL_SECONDS"] == "0.5"


def test_two_operators_keep_apart_and_are_drained_one_by_one() -> None:
    made = render("--set", "replicas=2")
    pod = one(made, "Deployment")["spec"]["template"]
    (wish,) = pod["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    budget = one(made, "PodDisruptionBudget")["spec"]
    for selector in (
        wish["podAffinityTerm"]["labelSelector"],
        spread["labelSelector"],
        budget["selector"],
    ):
        assert selector["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert budget["maxUnavailable"] == 1
    alone = render()
    assert of_kind(alone, "PodDisruptionBudget") == []
    assert "affinity" not in one(alone, "Deployment")["spec"]["template"]["spec"]
    chosen = one(
        render("--set", "replicas=2", "--set-json", 'affinity={"nodeAffinity":{}}'), "Deployment"
    )
    assert chosen["spec"]["template"]["spec"]["affinity"] == {"nodeAffinity": {}}
    assert "topologySpreadConstraints" not in chosen["spec"]["template"]["spec"]


def test_common_labels_are_on_every_object_and_never_in_a_selector() -> None:
    made = render(
        "--set", "commonLabels.team=ml,replicas=2,networkPolicy.enabled=true", apis=MONITORS
    )
    for each in made:
        if each["kind"] != "CustomResourceDefinition":
            assert each["metadata"]["labels"]["team"] == "ml", each["kind"]
    deployment = one(made, "Deployment")["spec"]
    assert deployment["template"]["metadata"]["labels"]["team"] == "ml"
    assert "team" not in deployment["selector"]["matchLabels"]


def test_a_user_s_annotation_of_the_pods_wins() -> None:
    made = one(render("--set-string", "podAnnotations.prometheus\\.io/scrape=false"), "Deployment")
    marks = made["spec"]["template"]["metadata"]["annotations"]
    assert marks == {"prometheus.io/scrape": "false", "prometheus.io/port": "8080"}


def test_a_service_account_of_somebody_else_is_used_and_bound() -> None:
    made = render("--set", "serviceAccount.create=false,serviceAccount.name=mine")
    assert of_kind(made, "ServiceAccount") == []
    assert one(made, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"
    bindings = of_kind(made, "RoleBinding") + of_kind(made, "ClusterRoleBinding")
    assert {each["subjects"][0]["name"] for each in bindings} == {"mine"}


def test_remote_code_is_refused_unless_the_chart_allows_it() -> None:
    assert environment(render())["QWEN_OPERATOR_ALLOW_TRUST_REMOTE_CODE"] == "false"
    allowed = render("--set", "allowTrustRemoteCode=true")
    assert environment(allowed)["QWEN_OPERATOR_ALLOW_TRUST_REMOTE_CODE"] == "true"


def test_every_variable_that_the_chart_sets_is_a_setting_of_the_operator() -> None:
    names = {
        each.removeprefix("QWEN_OPERATOR_").lower()
        for each in environment(render())
        if each.startswith("QWEN_OPERATOR_")
    }
    assert names <= set(Settings.model_fields)


def test_the_test_s_pod_asks_what_the_values_say_and_holds_no_token() -> None:
    pod = one(render("--set", "test.models={a/one,b/two},test.prompt=Hello there"), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["automountServiceAccountToken"] is False
    (container,) = pod["spec"]["containers"]
    assert container["args"] == [
        "--operator=release-qwen-operator.system.svc:8080",
        "--prompt=Hello there",
        "--timeout=120",
        "a/one",
        "b/two",
    ]


def test_the_operator_s_service_does_not_find_the_test_s_pod() -> None:
    made = render()
    wanted = one(made, "Service")["spec"]["selector"]
    assert not wanted.items() <= one(made, "Pod")["metadata"]["labels"].items()
    assert (
        one(made, "Pod")["spec"]["containers"][0]["securityContext"]
        == (one(made, "Deployment")["spec"]["template"]["spec"]["containers"][0]["securityContext"])
    )


def policies(*options: str) -> dict[str, dict[str, Any]]:
    made = of_kind(render("--set", "networkPolicy.enabled=true", *options), "NetworkPolicy")
    named = {f"{each['metadata']['namespace']}/{each['metadata']['name']}": each for each in made}
    assert len(named) == len(made)
    return named


def test_network_policies_are_on_a_switch_and_close_the_models_of_named_namespaces() -> None:
    assert of_kind(render(), "NetworkPolicy") == []
    assert set(policies()) == {"system/release-qwen-operator"}
    assert set(policies("--set", "watchNamespaces={one,two}")) == {
        "system/release-qwen-operator",
        "one/release-qwen-operator-models",
        "two/release-qwen-operator-models",
    }
    named = policies("--set", "watchNamespaces={one,two},networkPolicy.models.namespaces={three}")
    assert "three/release-qwen-operator-models" in named
    assert len(named) == 2


def test_default_deny_closes_the_release_s_namespace_and_those_of_models_once_each() -> None:
    options = "networkPolicy.defaultDeny=true,networkPolicy.models.namespaces={one,system}"
    made = policies("--set", options)
    denied = {place for place in made if place.endswith("-deny")}
    assert denied == {"system/release-qwen-operator-deny", "one/release-qwen-operator-deny"}
    for place in denied:
        assert made[place]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert set(policies("--set", "networkPolicy.defaultDeny=true")) == {
        "system/release-qwen-operator",
        "system/release-qwen-operator-deny",
    }


def test_closed_pods_are_those_that_the_operator_and_the_chart_make() -> None:
    made = policies("--set", "watchNamespaces={one}")
    children = ROOT / "operator/tests/unit/cases/recipe-on-a-gpu/children.yaml"
    model = one(yaml.safe_load(children.read_text()), "Deployment")["spec"]["template"]
    wanted = made["one/release-qwen-operator-models"]["spec"]["podSelector"]["matchLabels"]
    assert wanted.items() <= model["metadata"]["labels"].items()
    ours = made["system/release-qwen-operator"]["spec"]["podSelector"]
    pods = [one(render(), "Deployment")["spec"]["template"], one(render(), "Pod")]
    for pod in pods:
        labels = pod["metadata"]["labels"]
        assert ours["matchLabels"].items() <= labels.items()
        assert labels[ours["matchExpressions"][0]["key"]] in ours["matchExpressions"][0]["values"]
    for each in made.values():
        assert each["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_the_published_chart_stands_for_this_version_or_an_earlier_one() -> None:
    present = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    published = PUBLISHED.name.removeprefix("qwen-operator-").removesuffix(".tgz")
    numbers = [tuple(int(part) for part in each.split(".")) for each in (published, present)]
    assert numbers[0] <= numbers[1]
