"""A resource is deleted while the operator is down: nothing is left, and nothing comes back."""

from e2e.stack.commands import get, kubectl
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.installation import RELEASE
from e2e.stack.models import NAMESPACE, Model, eventually

OPERATORS = "app.kubernetes.io/name=qwen-operator"


def _scale_operator(replicas: int) -> None:
    kubectl("-n", OPERATOR_NAMESPACE, "scale", f"deployment/{RELEASE}", f"--replicas={replicas}")
    if replicas == 0:
        eventually(
            "the operator's pod is gone",
            lambda: not get("pods", "-n", OPERATOR_NAMESPACE, "-l", OPERATORS)["items"],
            60,
        )
    else:
        kubectl("-n", OPERATOR_NAMESPACE, "rollout", "status", f"deployment/{RELEASE}", timeout=90)


def test_deleting_with_the_operator_stopped_leaves_nothing(model: Model) -> None:
    assert model.children()
    _scale_operator(0)
    kubectl("-n", NAMESPACE, "delete", "qwen", model.name, timeout=30)
    eventually("no child is left", lambda: not model.children())
    selector = f"app.kubernetes.io/instance={model.name}"
    eventually(
        "no pod is left", lambda: not get("pods", "-n", NAMESPACE, "-l", selector)["items"], 90
    )
    _scale_operator(1)
    assert not model.children()
