"""The product, installed once for all suites; each suite works in one restricted namespace."""

from collections.abc import Iterator

import pytest

from e2e.stack.commands import apply, kubectl
from e2e.stack.installation import (
    Images,
    build_images,
    install_chart,
    load_images,
    start_cluster,
    uninstall_chart,
)
from e2e.stack.models import GPUS, NAMESPACE, Model, document
from e2e.stack.weights import offer_weights


@pytest.fixture(scope="session")
def images() -> Images:
    return build_images()


@pytest.fixture(scope="session")
def installed(images: Images) -> Iterator[Images]:
    """The chart on the cluster, and a namespace that enforces the restricted level."""
    start_cluster("--gpus", str(GPUS))
    load_images(images)
    install_chart(images)
    apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        }
    )
    offer_weights(NAMESPACE)
    yield images
    kubectl("delete", "namespace", NAMESPACE, "--wait=true", timeout=120)
    kubectl("delete", "pv", f"{NAMESPACE}-tiny-qwen-weights")
    uninstall_chart()


@pytest.fixture(scope="session")
def shared_model(installed: Images) -> Model:
    assert installed
    apply(document("tiny"), namespace=NAMESPACE)
    return Model("tiny")


@pytest.fixture
def model(shared_model: Model) -> Model:
    """The tests' model, Ready: whatever the test before did to it."""
    shared_model.wait_ready()
    return shared_model
