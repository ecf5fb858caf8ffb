"""Who decides about pods: the user's spec, an autoscaler, or a new version of the operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.api import DEPLOYMENTS, QWENS, Api, Json, constantly, eventually, resource
from tests.integration.process import OperatorProcess


@contextmanager
def operating(
    kubeconfig: Path, namespace: str, folder: Path, **settings: str
) -> Iterator[OperatorProcess]:
    made = OperatorProcess(kubeconfig, namespace, folder, **settings)
    try:
        yield made.wait_until_ready()
    finally:
        made.stop()


def deployment(api: Api, namespace: str, name: str) -> Json:
    return api.one(DEPLOYMENTS, namespace, name) or {}


def image(api: Api, namespace: str, name: str) -> Any:
    return deployment(api, namespace, name)["spec"]["template"]["spec"]["containers"][0]["image"]


def test_another_default_image_reaches_pods_when_their_user_or_policy_says_so(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with operating(kubeconfig, namespace, tmp_path, DEFAULT_CPU_IMAGE="old:1"):
        api.create(QWENS, namespace, resource("held"))
        api.create(QWENS, namespace, resource("eager", updatePolicy="Always"))
        for name in ("held", "eager"):
            eventually("a status", partial(api.condition, namespace, name))
    before = deployment(api, namespace, "held")["metadata"]["resourceVersion"]
    with operating(kubeconfig, namespace, tmp_path, DEFAULT_CPU_IMAGE="new:1") as operator:
        eventually("a roll-out", lambda: image(api, namespace, "eager") == "new:1")
        constantly(
            "the held Deployment",
            lambda: deployment(api, namespace, "held")["metadata"]["resourceVersion"],
            3,
        )
        assert deployment(api, namespace, "held")["metadata"]["resourceVersion"] == before
        change = {"spec": {"engine": {"maxModelLen": 512}}}
        api.merge(QWENS, namespace, "held", change)
        eventually("the newest rendering", lambda: image(api, namespace, "held") == "new:1")
        assert "Traceback" not in operator.log


def test_what_an_autoscaler_writes_is_kept_and_a_hand_s_is_set_back(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    assert operator
    metrics = [
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "vllm:num_requests_running"},
                "target": {"type": "AverageValue", "averageValue": "10"},
            },
        }
    ]
    bounds = {"minReplicas": 1, "maxReplicas": 5, "metrics": metrics}
    api.create(QWENS, namespace, resource("scaled", autoscaling=bounds))
    api.create(QWENS, namespace, resource("fixed"))
    hpas = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"
    eventually("an autoscaler", lambda: api.one(hpas, namespace, "scaled"))
    for name in ("scaled", "fixed"):
        eventually("a Deployment", partial(deployment, api, namespace, name))
        api.merge(DEPLOYMENTS, namespace, f"{name}/scale", {"spec": {"replicas": 4}})

    def replicas(name: str) -> int:
        return int(deployment(api, namespace, name)["spec"]["replicas"])

    eventually("the hand's is set back", lambda: replicas("fixed") == 1)
    api.merge(QWENS, namespace, "scaled", {"spec": {"rollout": {"maxUnavailable": 2}}})
    eventually(
        "the edit is applied",
        lambda: (
            deployment(api, namespace, "scaled")["spec"]["strategy"]["rollingUpdate"][
                "maxUnavailable"
            ]
            == 2
        ),
    )
    assert replicas("scaled") == 4
    api.merge(QWENS, namespace, "scaled", {"spec": {"autoscaling": None}})
    eventually("no autoscaler", lambda: api.one(hpas, namespace, "scaled") is None)
    eventually("the spec's number", lambda: replicas("scaled") == 1)


def test_a_weakened_pod_is_refused_by_name_and_the_last_good_one_stays(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    assert operator
    api.create(QWENS, namespace, resource("hardened"))
    before = eventually("a Deployment", lambda: deployment(api, namespace, "hardened"))
    change = {"spec": {"podTemplate": {"spec": {"hostNetwork": True}}}}
    api.merge(QWENS, namespace, "hardened", change)
    eventually(
        "a refusal",
        lambda: api.condition(namespace, "hardened").get("reason") == "InvalidSpec",
    )
    told = api.condition(namespace, "hardened")
    assert "spec.podTemplate.spec.hostNetwork" in told["message"]
    assert api.condition(namespace, "hardened", "Accepted")["status"] == "False"
    now = deployment(api, namespace, "hardened")
    assert now["spec"]["template"] == before["spec"]["template"]
