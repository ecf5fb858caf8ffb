"""A service account with the chart's own rules, as which the operators of these tests run.

So the API server refuses here what it would refuse in a user's cluster, and its audit log tells
what the rules are used for (`e2e/permissions/`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.integration.api import Api, eventually

NAMESPACE = "qwen-test-account"
NAME = "qwen-operator"
ROLE = "qwen-operator-tests"
_RULES = Path(__file__).resolve().parents[3] / "charts" / "qwen-operator" / "files"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_LIFE_SECONDS = 4 * 3600


def _rules() -> list[Any]:
    # The lease's belong to one namespace in the chart; here each module has one of its own.
    names = ("rules.yaml", "lease-rules.yaml")
    return [rule for name in names for rule in yaml.safe_load((_RULES / name).read_text())]


def _objects() -> dict[str, dict[str, Any]]:
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE}
    rbac = "rbac.authorization.k8s.io/v1"
    return {
        f"/api/v1/namespaces/{NAMESPACE}": {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE},
        },
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}": {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
        },
        f"{_RBAC}/clusterroles/{ROLE}": {
            "apiVersion": rbac,
            "kind": "ClusterRole",
            "metadata": {"name": ROLE},
            "rules": _rules(),
        },
        f"{_RBAC}/clusterrolebindings/{ROLE}": {
            "apiVersion": rbac,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ROLE},
            "roleRef": reference,
            "subjects": [subject],
        },
    }


def _kubeconfig(admin: Path, token: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(admin.read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": token}
    return config


def _is_ending(api: Api) -> bool:
    there = api.one("/api/v1/namespaces", "", NAMESPACE) or {"metadata": {}}
    return "deletionTimestamp" in there["metadata"]


@contextmanager
def account(api: Api, admin: Path, folder: Path) -> Iterator[Path]:
    """The account's kubeconfig, while the context lasts."""
    objects = _objects()
    # That of the tests before takes a while to end, and takes in nothing meanwhile.
    eventually("no account that is on its way out", lambda: not _is_ending(api))
    for path, body in objects.items():
        api.call("PATCH", f"{path}?fieldManager=tests&force=true", body, "apply-patch+yaml")
    request = {"spec": {"expirationSeconds": _LIFE_SECONDS}}
    where = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}/token"
    token = api.call("POST", where, request)["status"]["token"]
    made = folder / "kubeconfig"
    made.write_text(yaml.safe_dump(_kubeconfig(admin, token)), encoding="utf-8")
    made.chmod(0o600)
    yield made
    for path in reversed(objects):
        api.call("DELETE", path)
