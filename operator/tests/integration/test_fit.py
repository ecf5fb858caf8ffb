"""What the operator computes of a model's memory, on the real API server, before any pod."""

from functools import partial
from typing import Any

from tests.integration.api import DEPLOYMENTS, QWENS, Api, Json, constantly, eventually, resource
from tests.integration.process import OperatorProcess


def hopeless(name: str, **engine: Any) -> Json:
    """On the CPU, where a KV cache of 1 GiB holds no request as long as the model allows."""
    model = {"source": "hf://Qwen/Qwen3-8B"}
    return resource(name, model=model, engine=engine)


def on_a_gpu(name: str, **engine: Any) -> Json:
    return resource(
        name,
        model={"source": "hf://Qwen/Qwen3-32B"},
        engine=engine,
        resources={"gpus": 1},
        scheduling={"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"}},
    )


def is_accepted(api: Api, namespace: str, name: str, wanted: str) -> bool:
    return api.condition(namespace, name, "Accepted").get("status") == wanted


def fit(api: Api, namespace: str, name: str) -> Any:
    body = api.one(QWENS, namespace, name) or {}
    return body["status"]["fit"]


def test_what_cannot_fit_gets_no_pod_until_the_spec_is_mended(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    assert operator
    api.create(QWENS, namespace, hopeless("small"))
    eventually("refused", partial(is_accepted, api, namespace, "small", "False"))
    told = api.condition(namespace, "small", "Accepted")
    assert told["reason"] == "DoesNotFit"
    assert "it would fit with spec.engine.maxModelLen: " in told["message"]
    assert fit(api, namespace, "small")["verdict"] == "DoesNotFit"
    constantly("its children", lambda: api.children(namespace, "small"), 2)
    assert api.children(namespace, "small") == {}
    change = {"spec": {"engine": {"cpuKvCacheSpace": 6}}}
    api.merge(QWENS, namespace, "small", change)
    eventually("accepted", partial(is_accepted, api, namespace, "small", "True"))
    eventually("its pods' Deployment", partial(api.one, DEPLOYMENTS, namespace, "small"))
    found = fit(api, namespace, "small")
    assert found["verdict"] == "Fits"
    # 144 KiB for a token, in blocks of 128; one of them nobody gets.
    assert found["kvCacheTokens"] == 6 * 2**30 // (144 * 2**10 * 128) * 128
    assert found["largestMaxModelLen"] == 40960
    assert found["memory"]["kvCache"] == "6144Mi"


def test_who_knows_better_skips_the_check(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    assert operator
    api.create(QWENS, namespace, on_a_gpu("bold", skipFitCheck=True))
    eventually("its pods' Deployment", partial(api.one, DEPLOYMENTS, namespace, "bold"))
    eventually("accepted", partial(is_accepted, api, namespace, "bold", "True"))
    assert fit(api, namespace, "bold")["gpu"] == "L4"
    # What runs is left alone.
    api.merge(QWENS, namespace, "bold", {"spec": {"engine": {"skipFitCheck": False}}})

    def has_seen_it() -> bool:
        body = api.one(QWENS, namespace, "bold") or {}
        seen = body["status"]["observedGeneration"]
        return bool(seen == body["metadata"]["generation"])

    eventually("a status of the new spec", has_seen_it)
    assert is_accepted(api, namespace, "bold", "True")


def test_a_gpu_that_the_node_selector_names_is_the_one_that_is_computed_with(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    assert operator
    api.create(QWENS, namespace, on_a_gpu("large"))
    eventually("refused", partial(is_accepted, api, namespace, "large", "False"))
    found = fit(api, namespace, "large")
    assert (found["gpu"], found["toldBy"]) == ("L4", "spec.scheduling.nodeSelector")
    assert found["memory"]["kvCache"] == "0Mi"
    assert api.children(namespace, "large") == {}
    larger = {"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H200"}}
    api.merge(QWENS, namespace, "large", {"spec": {"scheduling": larger}})
    eventually("accepted", partial(is_accepted, api, namespace, "large", "True"))
    assert fit(api, namespace, "large")["verdict"] == "Fits"
