"""The API server as a test speaks to it: plain HTTP, so that nothing of the operator's is used."""

import base64
import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

Json = dict[str, Any]
T = TypeVar("T")

QWENS = "/apis/qwen-operator.dev/v1alpha1/namespaces/{}/qwendeployments"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
SERVICES = "/api/v1/namespaces/{}/services"
CONFIG_MAPS = "/api/v1/namespaces/{}/configmaps"
PODS = "/api/v1/namespaces/{}/pods"
EVENTS = "/api/v1/namespaces/{}/events"
CHILDREN = (CONFIG_MAPS, SERVICES, DEPLOYMENTS)
OURS = "app.kubernetes.io/managed-by=qwen-operator"
PATIENCE_SECONDS = 60.0
"""How long tests wait, unless they say more: a loaded machine is slow, and not wrong."""

_POLL_SECONDS = 0.1


class Problem(Exception):
    """The API server said no; `status` is HTTP's, `details` the fields that it names."""

    def __init__(self, status: int, answer: Json) -> None:
        super().__init__(f"{status}: {answer.get('message')}")
        self.status = status
        causes = answer.get("details", {}).get("causes") or ()
        self.fields = {str(each.get("field")) for each in causes}


def _certificate(entry: Mapping[str, str], name: str, folder: Path) -> str | None:
    if f"{name}-data" in entry:
        path = folder / name
        path.write_bytes(base64.b64decode(entry[f"{name}-data"]))
        return str(path)
    return entry.get(name)


class Api:
    """One connection's worth of requests, as the kubeconfig's current context says."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.address = urlsplit(cluster["server"]).netloc
        self._token = user.get("token")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            authority = _certificate(cluster, "certificate-authority", folder)
            self.tls = ssl.create_default_context(cafile=authority)
            self.anonymous_tls = ssl.create_default_context(cafile=authority)
            if cluster.get("insecure-skip-tls-verify"):
                for each in (self.tls, self.anonymous_tls):
                    each.check_hostname = False
                    each.verify_mode = ssl.CERT_NONE
            if certificate := _certificate(user, "client-certificate", folder):
                self.tls.load_cert_chain(certificate, _certificate(user, "client-key", folder))

    def call(self, method: str, path: str, body: object = None, kind: str = "json") -> Any:
        """One request; its JSON.

        Raises:
            Problem: any status but success.
        """
        headers = {"Content-Type": f"application/{kind}", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = http.client.HTTPSConnection(self.address, context=self.tls, timeout=20)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers)
            response = connection.getresponse()
            content = response.read().decode()
        finally:
            connection.close()
        answer = json.loads(content) if content.startswith("{") else {"message": content}
        if not http.client.OK <= response.status < http.client.MULTIPLE_CHOICES:
            raise Problem(response.status, answer)
        return answer

    def one(self, folder: str, namespace: str, name: str) -> Json | None:
        """One object, or None."""
        try:
            found: Json = self.call("GET", f"{folder.format(namespace)}/{name}")
        except Problem as problem:
            if problem.status == http.client.NOT_FOUND:
                return None
            raise
        return found

    def all(self, folder: str, namespace: str, selector: str = OURS) -> list[Json]:
        """Objects of a folder, by default those that the operator made."""
        query = urlencode({"labelSelector": selector})
        found: list[Json] = self.call("GET", f"{folder.format(namespace)}?{query}")["items"]
        return found

    def create(self, folder: str, namespace: str, body: Json, query: str = "") -> Json:
        """Create an object."""
        made: Json = self.call("POST", f"{folder.format(namespace)}{query}", body)
        return made

    def merge(self, folder: str, namespace: str, name: str, change: Json) -> Json:
        """Change an object by a merge patch; name may end in a subresource."""
        path = f"{folder.format(namespace)}/{name}"
        changed: Json = self.call("PATCH", path, change, "merge-patch+json")
        return changed

    def delete(self, folder: str, namespace: str, name: str) -> None:
        """Delete an object, its dependents in the background."""
        options = {"propagationPolicy": "Background"}
        self.call("DELETE", f"{folder.format(namespace)}/{name}", options)

    def children(self, namespace: str, resource: str) -> dict[str, Json]:
        """kind/name → child, of one QwenDeployment."""
        return {
            f"{folder.rsplit('/', 1)[1]}/{each['metadata']['name']}": each
            for folder in CHILDREN
            for each in self.all(folder, namespace)
            if each["metadata"]["annotations"].get("qwen-operator.dev/resource") == resource
        }

    def condition(self, namespace: str, name: str, kind: str = "Ready") -> Json:
        """A condition of a QwenDeployment; empty while there is none."""
        body = self.one(QWENS, namespace, name) or {}
        conditions: list[Json] = body.get("status", {}).get("conditions") or []
        return next((each for each in conditions if each["type"] == kind), {})


def eventually(
    what: str,
    check: Callable[[], T],
    seconds: float = PATIENCE_SECONDS,
    seen: Callable[[], object] | None = None,
) -> T:
    """Wait until a check gives something true, and return that.

    Args:
        what: is waited for.
        check: whether it is there.
        seconds: how long; whoever means to assert a speed does so by something else.
        seen: what to print of a wait in vain, where the check's own answer says too little.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            last = found if seen is None else seen()
            pytest.fail(f"not within {seconds:.0f} s: {what}; at last: {last!r}")
        time.sleep(_POLL_SECONDS)


def constantly(what: str, check: Callable[[], T], seconds: float = 5.0) -> None:
    """Fail as soon as a check gives something else than at first."""
    first, deadline = check(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = check()
        assert now == first, f"{what} changed"
        time.sleep(_POLL_SECONDS)


def settled(what: str, check: Callable[[], T], still: float = 2.0) -> T:
    """Wait until a check has given the same for a while, and return that."""
    last, since = check(), time.monotonic()
    deadline = since + PATIENCE_SECONDS
    while time.monotonic() - since < still:
        if time.monotonic() > deadline:
            pytest.fail(f"not still within {PATIENCE_SECONDS:.0f} s: {what}; at last: {last!r}")
        time.sleep(_POLL_SECONDS)
        if (now := check()) != last:
            last, since = now, time.monotonic()
    return last


def resource(name: str, **spec: Any) -> Json:
    """A QwenDeployment whose pods fit on no node, whatever cluster this is."""
    return {
        "apiVersion": "qwen-operator.dev/v1alpha1",
        "kind": "QwenDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {"source": "hf://example/qwen"},
            "resources": {"gpus": 0},
            "scheduling": {"nodeSelector": {"qwen-operator.dev/no-such-node": "true"}},
            **spec,
        },
    }
