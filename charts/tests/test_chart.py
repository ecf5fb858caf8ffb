"""The chart renders what it promises, and refuses values that it does not know."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster.build import binaries_folder

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "qwen-operator"

pytestmark = pytest.mark.cluster


def helm(*options: str) -> subprocess.CompletedProcess[str]:
    command = (str(binaries_folder() / "helm"), "template", "release", str(CHART))
    return subprocess.run(
        [*command, "--namespace", "system", *options], capture_output=True, text=True, check=False
    )


def render(*options: str) -> list[dict[str, Any]]:
    done = helm(*options)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def kinds(documents: list[dict[str, Any]]) -> list[str]:
    return sorted(each["kind"] for each in documents)


def roles(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Namespace and name → role; the lease's beside those of watched namespaces."""
    return {
        f"{each['metadata']['namespace']}/{each['metadata']['name']}": each
        for each in documents
        if each["kind"] == "Role"
    }


def one(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [each for each in documents if each["kind"] == kind]
    return found


def test_no_values_at_all_watch_the_whole_cluster() -> None:
    assert kinds(render()) == [
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Deployment",
        "Role",
        "RoleBinding",
        "ServiceAccount",
    ]


def test_named_namespaces_get_a_role_each_and_no_cluster_role() -> None:
    made = render("--set", "watchNamespaces={one,two}")
    assert "ClusterRole" not in kinds(made)
    assert set(roles(made)) == {
        "one/release-qwen-operator",
        "two/release-qwen-operator",
        "system/release-qwen-operator-lease",
    }
    (container,) = one(made, "Deployment")["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["QWEN_OPERATOR_WATCH_NAMESPACES"] == "one,two"


def test_the_role_is_exactly_what_the_code_declares() -> None:
    declared = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
    assert one(render(), "ClusterRole")["rules"] == declared
    named = roles(render("--set", "watchNamespaces={one}"))
    assert named["one/release-qwen-operator"]["rules"] == declared
    lease = yaml.safe_load((CHART / "files" / "lease-rules.yaml").read_text())
    assert named["system/release-qwen-operator-lease"]["rules"] == lease
    assert not any("*" in each["verbs"] + each["resources"] for each in declared + lease)


def test_operators_of_one_release_share_a_lease_in_its_namespace() -> None:
    deployment = one(render("--set", "replicas=2"), "Deployment")
    assert deployment["spec"]["replicas"] == 2
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["QWEN_OPERATOR_LEASE_NAMESPACE"] == "system"
    assert environment["QWEN_OPERATOR_LEASE_NAME"] == "release-qwen-operator"


def test_the_definition_is_kept_on_uninstall_and_can_be_left_out() -> None:
    definition = one(render(), "CustomResourceDefinition")
    assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    generated = yaml.safe_load((ROOT / "crds" / "qwendeployments.yaml").read_text())
    assert definition["spec"] == generated["spec"]
    assert "CustomResourceDefinition" not in kinds(render("--set", "crds.install=false"))


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
    ],
)
def test_a_wrong_value_is_refused_by_name(value: str, named: str) -> None:
    done = helm("--set", value)
    assert done.returncode != 0
    assert named in done.stderr
