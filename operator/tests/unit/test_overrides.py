"""spec.podTemplate adds what a pod can have, and neither replaces nor weakens what it must be."""

from typing import Any

import pytest

from qwen_operator.api.resource import read_resource
from qwen_operator.desired.children import desired
from qwen_operator.desired.overrides import overridden
from qwen_operator.errors import InvalidSpec
from qwen_operator.settings import Settings
from tests.unit.stand_ins import BACKEND, resource_body

BASE: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "fsGroup": 1},
    "containers": [
        {"name": "triton", "image": "i", "env": [{"name": "A", "value": "1"}], "ports": []}
    ],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}


def merged(**patch: Any) -> dict[str, Any]:
    return overridden(BASE, patch, unsafe=False)


def test_lists_are_merged_by_name_and_keep_their_order() -> None:
    made = merged(
        containers=[
            {"name": "proxy", "image": "p"},
            {"name": "triton", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]},
        ]
    )
    assert [each["name"] for each in made["containers"]] == ["triton", "proxy"]
    assert made["containers"][0]["env"] == [
        {"name": "A", "value": "3"},
        {"name": "B", "value": "2"},
    ]
    assert made["containers"][0]["image"] == "i"


def test_objects_are_merged_and_null_removes() -> None:
    made = merged(securityContext={"fsGroup": None, "supplementalGroups": [7]})
    assert made["securityContext"] == {"runAsNonRoot": True, "supplementalGroups": [7]}


def test_an_empty_patch_changes_nothing() -> None:
    assert merged() == BASE


TAKEN: dict[str, tuple[dict[str, Any], str]] = {
    "node selector": ({"nodeSelector": {"a": "b"}}, "spec.scheduling.nodeSelector"),
    "image": ({"containers": [{"name": "triton", "image": "x"}]}, "spec.triton.image"),
    "command": ({"containers": [{"name": "triton", "command": ["sh"]}]}, "[triton].command"),
    "probe": ({"containers": [{"name": "triton", "readinessProbe": {}}]}, "readinessProbe"),
    "token": (
        {"containers": [{"name": "triton", "env": [{"name": "HF_TOKEN", "value": "x"}]}]},
        "env[HF_TOKEN]",
    ),
    "mount over": (
        {"containers": [{"name": "triton", "volumeMounts": [{"mountPath": "/models/x"}]}]},
        "/models/x",
    ),
    "our volume": ({"volumes": [{"name": "shm", "emptyDir": {}}]}, "volumes[shm]"),
    "memory": (
        {"containers": [{"name": "triton", "resources": {"limits": {"memory": "1Gi"}}}]},
        "spec.resources.memory",
    ),
    "directive": ({"containers": [{"name": "x", "$patch": "delete"}]}, "$patch"),
    "no list": ({"containers": {"name": "x"}}, "spec.containers"),
    "no name": ({"volumes": [{"emptyDir": {}}]}, "spec.volumes"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_the_operator_decides_is_refused_and_named(case: str) -> None:
    patch, words = TAKEN[case]
    with pytest.raises(InvalidSpec) as refusal:
        merged(**patch)
    assert words in str(refusal.value)
    assert str(refusal.value).startswith("spec.podTemplate.spec.")


UNSAFE: dict[str, dict[str, Any]] = {
    "hostNetwork": {"hostNetwork": True},
    "hostPID": {"hostPID": True},
    "hostIPC": {"hostIPC": True},
    "serviceAccountName": {"serviceAccountName": "admin"},
    "automountServiceAccountToken": {"automountServiceAccountToken": True},
    "securityContext.runAsUser": {"securityContext": {"runAsUser": 0}},
    "securityContext.runAsNonRoot": {"securityContext": {"runAsNonRoot": False}},
    "securityContext.sysctls": {"securityContext": {"sysctls": [{"name": "a"}]}},
    "seccompProfile": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    "hostPath": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
    "nfs": {"volumes": [{"name": "x", "nfs": {"server": "s", "path": "/"}}]},
    "projected": {
        "volumes": [{"name": "x", "projected": {"sources": [{"serviceAccountToken": {}}]}}]
    },
    "privileged": {"containers": [{"name": "s", "securityContext": {"privileged": True}}]},
    "allowPrivilegeEscalation": {
        "initContainers": [{"name": "s", "securityContext": {"allowPrivilegeEscalation": True}}]
    },
    "capabilities.add": {
        "containers": [{"name": "s", "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]
    },
    "hostPort": {"containers": [{"name": "s", "ports": [{"containerPort": 1, "hostPort": 1}]}]},
    "readOnlyRootFilesystem": {
        "containers": [{"name": "triton", "securityContext": {"readOnlyRootFilesystem": False}}]
    },
}


@pytest.mark.parametrize("case", UNSAFE)
def test_what_lowers_the_pod_s_security_needs_an_administrator(case: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        merged(**UNSAFE[case])
    assert case in str(refusal.value)
    assert "administrator" in str(refusal.value)
    assert overridden(BASE, UNSAFE[case], unsafe=True) != BASE


@pytest.mark.parametrize(
    "patch",
    [
        {"securityContext": "none"},
        {"volumes": [{"name": "x", "projected": 3}]},
        {"containers": [{"name": "s", "securityContext": {"capabilities": []}}]},
        {"containers": [{"name": "triton", "resources": [1]}]},
        {"containers": [{"name": "triton", "env": [{"name": "A"}], "ports": []}]},
    ],
)
def test_values_of_a_wrong_kind_are_left_to_the_api_server(patch: dict[str, Any]) -> None:
    assert merged(**patch)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InvalidSpec) as refusal:
        merged(hostNetwork=True, nodeName="n", volumes=[{"name": "x", "hostPath": {}}])
    assert len(str(refusal.value).split("; spec.podTemplate")) == 3


def test_its_labels_and_annotations_reach_the_pods_and_never_replace_ours() -> None:
    wish = {"metadata": {"labels": {"team": "a"}, "annotations": {"mesh.io/inject": "true"}}}
    plain, wished = (
        desired(read_resource(body), Settings(), BACKEND)
        for body in (resource_body(), resource_body(podTemplate=wish))
    )
    before, after = (each.deployment["spec"]["template"]["metadata"] for each in (plain, wished))
    assert after["labels"] == {**before["labels"], "team": "a"}
    assert after["annotations"]["mesh.io/inject"] == "true"
    assert wished.template_hash != plain.template_hash
