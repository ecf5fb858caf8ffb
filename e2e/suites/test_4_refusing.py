"""Impossible wishes are refused or reported where the user looks, and disturb nobody."""

import pytest

from e2e.stack.commands import CommandError, apply, kubectl
from e2e.stack.models import GPUS, NAMESPACE, Model, document, eventually


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"model": {"source": "ftp://x/y"}}, "spec.model.source"),
        ({"engine": {"maxModelLen": "many"}}, "spec.engine.maxModelLen"),
        ({"engine": {"maxModelLenn": 5}}, "spec.engine.maxModelLenn"),
        ({"resources": {"gpus": 3}}, "spec.engine.tensorParallelSize"),
        ({"rollout": {"maxSurge": 0, "maxUnavailable": 0}}, "spec.rollout.maxSurge"),
    ],
)
def test_the_api_server_refuses_and_names_the_field(
    model: Model, spec: dict[str, dict[str, object]], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        apply(document("refused", **spec), namespace=NAMESPACE)
    assert model.ready()["status"] == "True"


def test_more_gpus_than_the_node_has_is_told_in_the_schedulers_words(model: Model) -> None:
    wish = {"resources": {"gpus": GPUS + 1}, "engine": {"tensorParallelSize": GPUS + 1}}
    apply(document("greedy", **wish), namespace=NAMESPACE)
    greedy = Model("greedy")
    told = greedy.wait_reason("WaitingForGPU", seconds=60)
    assert "Insufficient nvidia.com/gpu" in told["message"]
    assert "What to do:" in told["message"]
    free = f"{GPUS} of {GPUS} nvidia.com/gpu are free"
    eventually("how many are free", lambda: free in greedy.ready()["message"])
    assert model.ready()["status"] == "True"
    kubectl("-n", NAMESPACE, "delete", "qwen", "greedy")


def test_an_unknown_engine_argument_is_reported_by_name_on_the_resource(model: Model) -> None:
    wrong = {"engine": {"extraArgs": {"max_num_sequences": 4}}}
    apply(document("misspelt", **wrong), namespace=NAMESPACE)
    told = Model("misspelt").wait_reason("InvalidSpec", seconds=60)
    assert "spec.engine.extraArgs.max_num_sequences" in told["message"]
    assert "did you mean max_num_seqs?" in told["message"]
    assert not Model("misspelt").pods()
    assert model.ready()["status"] == "True"
    kubectl("-n", NAMESPACE, "delete", "qwen", "misspelt")


def test_weights_that_are_not_there_are_told(model: Model) -> None:
    nowhere = {"model": {"source": "pvc://tiny-qwen-weights/nowhere"}}
    apply(document("nowhere", **nowhere), namespace=NAMESPACE)
    told = Model("nowhere").wait_reason("ModelNotFound", seconds=120)
    assert "/weights/nowhere" in told["message"]
    assert model.ready()["status"] == "True"
    kubectl("-n", NAMESPACE, "delete", "qwen", "nowhere")


def test_an_image_that_does_not_exist_is_told(model: Model) -> None:
    apply(document("typo", triton={"image": "localhost/no-such-image:1"}), namespace=NAMESPACE)
    told = Model("typo").wait_reason("ImagePullFailed", seconds=60)
    assert "no-such-image" in told["message"]
    assert model.ready()["status"] == "True"
    kubectl("-n", NAMESPACE, "delete", "qwen", "typo")
