"""What a namespace and those who guard it do to pods: quotas, ranges, levels, webhooks, roles."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.api import DEPLOYMENTS, QWENS, Api, Json, Problem, eventually, resource
from tests.integration.operating import complete, operating
from tests.integration.process import OperatorProcess
from tests.integration.proxy import proxied
from tests.integration.webhook import SIDECAR, meddling

QUOTAS = "/api/v1/namespaces/{}/resourcequotas"
RANGES = "/api/v1/namespaces/{}/limitranges"
ACCOUNTS = "/api/v1/namespaces/{}/serviceaccounts"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"
SECRETS = "/api/v1/namespaces/{}/secrets"
EVENTS = "/api/v1/namespaces/{}/events"
RULES = Path(__file__).resolve().parents[3] / "charts" / "qwen-operator" / "files" / "rules.yaml"


@pytest.fixture
def apart(api: Api, namespace: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"{namespace}-{abs(hash(request.node.name)) % 9999}"
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.call("DELETE", f"/api/v1/namespaces/{name}")


def told(api: Api, namespace: str, name: str, reason: str) -> Json:
    """The failure in the status, once it has a reason; empty before."""
    status: Json = (api.one(QWENS, namespace, name) or {}).get("status") or {}
    failure: Json = status.get("failure") or {}
    return failure if failure.get("reason") == reason else {}


def test_a_quota_that_is_used_up_is_said_with_what_it_allows(
    api: Api, apart: str, kubeconfig: Path, tmp_path: Path
) -> None:
    hard = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}}
    api.create(QUOTAS, apart, hard)
    with operating(kubeconfig, apart, tmp_path):
        api.create(QWENS, apart, resource("greedy"))
        failure = eventually("a reason", partial(told, api, apart, "greedy", "QuotaExceeded"))
        assert "exceeded quota: few" in failure["message"]
        assert "The quota few allows pods=0" in failure["suggestion"]
        api.delete(QUOTAS, apart, "few")
        eventually("pods", lambda: not told(api, apart, "greedy", "QuotaExceeded"))


def test_a_range_that_a_pod_does_not_keep_to_is_said(
    api: Api, apart: str, kubeconfig: Path, tmp_path: Path
) -> None:
    limit = {"type": "Container", "max": {"memory": "1Gi"}}
    api.create(RANGES, apart, {"metadata": {"name": "small"}, "spec": {"limits": [limit]}})
    with operating(kubeconfig, apart, tmp_path):
        large = resource("large", resources={"gpus": 0, "memory": "4Gi"})
        api.create(QWENS, apart, large)
        failure = eventually("a reason", partial(told, api, apart, "large", "PodsRefused"))
        assert "maximum memory usage per Container is 1Gi" in failure["message"]
        assert "LimitRange" in failure["suggestion"]


def test_model_pods_meet_the_restricted_level_and_what_does_not_is_said(
    api: Api, apart: str, kubeconfig: Path, tmp_path: Path
) -> None:
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    path = f"/api/v1/namespaces/{apart}"
    api.call("PATCH", path, {"metadata": {"labels": enforce}}, "merge-patch+json")
    unsafe = {"ALLOW_UNSAFE_POD_TEMPLATES": "true"}
    with operating(kubeconfig, apart, tmp_path, **unsafe):
        api.create(QWENS, apart, resource("plain"))
        weak = {"spec": {"hostNetwork": True}}
        api.create(QWENS, apart, resource("weak", podTemplate=weak))
        reason = partial(told, api, apart, "weak", "PodSecurityViolation")
        failure = eventually("a reason", reason)
        assert "hostNetwork" in failure["message"]
        pods = partial(api.all, "/api/v1/namespaces/{}/pods", apart)
        eventually("a pod of the other", pods)


def test_a_webhook_that_puts_a_sidecar_in_is_not_fought_with(
    api: Api, apart: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with (
        meddling(api, apart, tmp_path),
        proxied(api, kubeconfig, tmp_path) as (config, faults),
        operating(config, apart, tmp_path) as operator,
    ):
        api.create(QWENS, apart, resource("meshed"))
        eventually("all is there", partial(complete, api, apart, "meshed"))
        api.merge(QWENS, apart, "meshed", {"spec": {"engine": {"maxModelLen": 512}}})
        eventually("the edit", partial(_speaks_of, api, apart, "meshed", 2))
        eventually("two sweeps", partial(_has_swept, operator))
        containers = _deployment(api, apart, "meshed")["spec"]["template"]["spec"]["containers"]
        assert [each["name"] for each in containers] == ["triton", SIDECAR["name"]]
        writes = [each for each in faults.writes() if "/deployments/" in each.path]
        assert len(writes) == 2, "one for the resource, one for its edit"
        assert api.condition(apart, "meshed")["reason"] != "FieldConflict"


def _deployment(api: Api, namespace: str, name: str) -> Json:
    return api.one(DEPLOYMENTS, namespace, name) or {}


def _speaks_of(api: Api, namespace: str, name: str, generation: int) -> bool:
    body = api.one(QWENS, namespace, name) or {}
    return bool(body.get("status", {}).get("observedGeneration") == generation)


def _has_swept(operator: OperatorProcess) -> bool:
    return 'sweeps_total{outcome="done"} 2.0' in operator.page("metrics")[1]


class _Role:
    """The chart's own role, for an account of a namespace; verbs can be taken and given back."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._rules: list[Json] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
        api.create(ACCOUNTS, namespace, {"metadata": {"name": "operator"}})
        api.create(ROLES, namespace, {"metadata": {"name": "operator"}, "rules": self._rules})
        subject = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
        reference = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": "operator",
        }
        binding = {"metadata": {"name": "operator"}, "subjects": [subject], "roleRef": reference}
        api.create(BINDINGS, namespace, binding)

    def kubeconfig(self, original: Path, folder: Path) -> Path:
        """One that speaks as the account, by a token."""
        asked = {"spec": {"expirationSeconds": 3600}}
        path = f"{ACCOUNTS.format(self._namespace)}/operator/token"
        token = self._api.call("POST", path, asked)["status"]["token"]
        config = yaml.safe_load(original.read_text(encoding="utf-8"))
        config["users"][0]["user"] = {"token": token}
        made = folder / "as-the-account"
        made.write_text(yaml.safe_dump(config), encoding="utf-8")
        made.chmod(0o600)
        return made

    @contextmanager
    def without(self, verb: str, plural: str) -> Iterator[None]:
        """For a while nobody may do that."""
        path = f"{ROLES.format(self._namespace)}/operator"
        less = [
            {**each, "verbs": [v for v in each["verbs"] if v != verb]}
            if each["resources"] == [plural]
            else each
            for each in self._rules
        ]
        change = {"rules": [each for each in less if each["verbs"]]}
        self._api.call("PATCH", path, change, "merge-patch+json")
        try:
            yield
        finally:
            self._api.call("PATCH", path, {"rules": self._rules}, "merge-patch+json")


TAKEN = [
    ("patch", "services"),
    ("patch", "deployments"),
    ("patch", "configmaps"),
    ("get", "services"),
    ("patch", "qwendeployments/status"),
]


def test_each_permission_that_is_taken_is_said_and_given_back_it_heals(
    api: Api, apart: str, kubeconfig: Path, tmp_path: Path
) -> None:
    role = _Role(api, apart)
    with operating(role.kubeconfig(kubeconfig, tmp_path), apart, tmp_path) as operator:
        api.create(QWENS, apart, resource("before"))
        eventually("all is there", partial(complete, api, apart, "before"))
        for number, (verb, plural) in enumerate(TAKEN):
            name = f"taken-{number}"
            with role.without(verb, plural):
                eventually("it is forbidden", partial(_is_forbidden, operator, api, apart, name))
                if verb == "patch" and "/" not in plural:
                    eventually("it is said", partial(_says_forbidden, api, apart, name))
            eventually("it heals", partial(complete, api, apart, name))
        with role.without("watch", "pods"), role.without("list", "pods"):
            api.create(QWENS, apart, resource("meanwhile"))
            eventually("the others go on", partial(complete, api, apart, "meanwhile"))
        assert operator.process.poll() is None
        assert "unexpectedly" not in operator.log
        assert operator.page("healthz")[0] == 200


def _refusals(operator: OperatorProcess) -> float:
    lines = operator.page("metrics")[1].splitlines()
    return sum(
        float(each.rsplit(" ", 1)[1])
        for each in lines
        if each.startswith("qwen_operator_api_requests_total{") and 'code="403"' in each
    )


def _is_forbidden(operator: OperatorProcess, api: Api, namespace: str, name: str) -> bool:
    """Ask for something new until a request for it is refused: a role takes a moment to change."""
    before = _refusals(operator)
    if api.one(QWENS, namespace, name) is not None:
        api.delete(QWENS, namespace, name)
    api.create(QWENS, namespace, resource(name))
    is_made = partial(complete, api, namespace, name)
    eventually("an end, good or bad", lambda: _refusals(operator) > before or is_made())
    return _refusals(operator) > before


def _says_forbidden(api: Api, namespace: str, name: str) -> bool:
    told = api.condition(namespace, name)
    return told.get("reason") == "ApplyRefused" and "forbidden" in told["message"]


def test_secrets_are_named_and_never_read_or_told(
    api: Api, apart: str, kubeconfig: Path, tmp_path: Path
) -> None:
    marker = "hf-thisMustBeNowhereElse"
    secret = {"metadata": {"name": "token"}, "stringData": {"token": marker}}
    api.create(SECRETS, apart, secret)
    reference = {"name": "token"}
    with proxied(api, kubeconfig, tmp_path) as (config, faults):
        with operating(config, apart, tmp_path, LOG_LEVEL="debug") as operator:
            model = {"source": "hf://example/qwen", "tokenSecretRef": reference}
            spec = {"model": model, "chat": {"apiKeySecretRef": reference}}
            api.create(QWENS, apart, resource("secretive", **spec))
            eventually("all is there", partial(complete, api, apart, "secretive"))
            children: Any = api.children(apart, "secretive")
            said = [operator.log, json.dumps(children), json.dumps(api.all(EVENTS, apart, ""))]
            said.append(json.dumps(api.one(QWENS, apart, "secretive")))
            assert not [each for each in said if marker in each]
        assert not [each for each in faults.seen if "secrets" in each.path]
    assert "secrets" not in RULES.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["name", "key"])
def test_a_secret_of_another_namespace_cannot_be_named(api: Api, namespace: str, path: str) -> None:
    reference = {"name": "token", path: "other-namespace/token"}
    model = {"source": "hf://a/b", "tokenSecretRef": reference}
    with pytest.raises(Problem) as refused:
        api.create(QWENS, namespace, resource("thief", model=model))
    assert refused.value.status == http.client.UNPROCESSABLE_ENTITY
    assert refused.value.fields == {f"spec.model.tokenSecretRef.{path}"}
