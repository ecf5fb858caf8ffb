"""The resource or the operator changes: pods roll when they must, and nothing moves when not."""

import json
import time
import urllib.request

import pytest

from e2e.stack import clients
from e2e.stack.commands import kubectl
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.installation import RELEASE
from e2e.stack.models import NAMESPACE, Model, eventually

# Looked at by later suites: what they fail of comes to pass meanwhile.
pytestmark = pytest.mark.usefixtures("gated", "unmounted")

_QUIET_SECONDS = 8


def _served_hash(model: Model) -> str:
    base = f"http://{clients.service_address(model.name, NAMESPACE)}:8000"
    url = f"{base}/v2/models/{model.name}/config"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own cluster
        parameters = json.load(answer)["parameters"]
    return str(parameters["config_hash"]["string_value"])


def test_a_restarted_operator_writes_nothing(model: Model) -> None:
    before, resource = model.children(), model.see()["metadata"]["resourceVersion"]
    kubectl("-n", OPERATOR_NAMESPACE, "rollout", "restart", f"deployment/{RELEASE}")
    kubectl("-n", OPERATOR_NAMESPACE, "rollout", "status", f"deployment/{RELEASE}", timeout=90)
    time.sleep(_QUIET_SECONDS)  # that nothing happens can only be waited for
    assert model.children() == before
    assert model.see()["metadata"]["resourceVersion"] == resource


def test_a_hand_edited_child_is_restored_and_no_pod_restarts(model: Model) -> None:
    (pod,) = model.pods()
    patch = '{"spec":{"ports":[{"name":"http","port":8000,"targetPort":1}]}}'
    kubectl("-n", NAMESPACE, "patch", "service", model.name, "--type=strategic", "-p", patch)

    def restored() -> bool:
        target = kubectl(
            "-n",
            NAMESPACE,
            "get",
            "service",
            model.name,
            "-o",
            "jsonpath={.spec.ports[?(@.name=='http')].targetPort}",
        )
        return target == "http"

    eventually("the port is restored", restored)
    assert [each["metadata"]["uid"] for each in model.pods()] == [pod["metadata"]["uid"]]


def test_an_edited_setting_rolls_the_pod_and_triton_shows_it(model: Model) -> None:
    (old,) = model.pods()
    before = _served_hash(model)
    assert before == model.see()["status"]["configHash"]
    change = {"spec": {"engine": {"maxModelLen": 512}, "chat": {"systemPrompt": "Du bist 好."}}}
    kubectl("-n", NAMESPACE, "patch", "qwen", model.name, "--type=merge", "-p", json.dumps(change))
    eventually("not Ready meanwhile", lambda: model.ready()["status"] == "False")
    model.wait_ready()
    (new,) = model.pods()
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    after = _served_hash(model)
    assert after != before
    assert after == model.see()["status"]["configHash"]
    # The old rendering goes once no pod uses it.
    eventually(
        "one ConfigMap is left",
        lambda: len([each for each in model.children() if "ConfigMap" in each]) == 1,
        60,
    )
