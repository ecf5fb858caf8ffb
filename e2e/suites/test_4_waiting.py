"""A pod that never starts: what the kubelet says of it stands in the resource's status."""

from e2e.stack.commands import kubectl
from e2e.stack.models import NAMESPACE, Model


def test_a_volume_that_cannot_be_mounted_is_told_in_the_kubelet_s_words(
    model: Model, unmounted: Model
) -> None:
    told = unmounted.wait_reason("PodStartFailed", seconds=60)
    assert 'secret "nowhere" not found' in told["message"]
    assert model.ready()["status"] == "True"
    kubectl("-n", NAMESPACE, "delete", "qwen", unmounted.name)
