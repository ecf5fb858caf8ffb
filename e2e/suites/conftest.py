"""The product, installed once for all suites; each suite works in one restricted namespace.

What is installed is the published chart, upgraded to the present one while a model serves: so every
suite runs on what an upgrade leaves, and `test_0_upgrading.py` looks at what it did.
"""

from collections.abc import Iterator

import pytest

from charts.rendering import PUBLISHED
from e2e.stack.commands import apply, kubectl
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.installation import (
    Images,
    build_images,
    install_chart,
    load_images,
    start_cluster,
    uninstall_chart,
)
from e2e.stack.models import GPUS, NAMESPACE, Model, document
from e2e.stack.qwenctl import Follower, heed_ctrl_c
from e2e.stack.restricted import make_namespace
from e2e.stack.weights import offer_weights
from e2e.suites.secrets import DOOR, HUB, make_secrets
from e2e.suites.upgrading import Upgrade, watched


@pytest.fixture(scope="session")
def images() -> Images:
    return build_images()


@pytest.fixture(scope="session")
def published(images: Images) -> Iterator[Images]:
    """The published chart on the cluster, in namespaces that enforce the restricted level."""
    start_cluster("--gpus", str(GPUS))
    load_images(images)
    make_namespace(OPERATOR_NAMESPACE)
    make_namespace(NAMESPACE)
    install_chart(images, chart=PUBLISHED)
    offer_weights(NAMESPACE)
    make_secrets(NAMESPACE)
    yield images
    kubectl("delete", "namespace", NAMESPACE, "--wait=true", "--ignore-not-found", timeout=120)
    kubectl("delete", "pv", f"{NAMESPACE}-tiny-qwen-weights", "--ignore-not-found")
    uninstall_chart()


@pytest.fixture(scope="session")
def followed(
    published: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Model, Follower]]:
    """The tests' model, applied, and whoever follows its first start with `qwenctl`."""
    assert published
    heed_ctrl_c()
    apply(document("tiny", chat={"apiKeySecretRef": DOOR}), namespace=NAMESPACE)
    follower = Follower("tiny", NAMESPACE, tmp_path_factory.mktemp("followed") / "status")
    yield Model("tiny"), follower
    follower.close()


@pytest.fixture(scope="session")
def shared_model(followed: tuple[Model, Follower]) -> Model:
    return followed[0]


@pytest.fixture(scope="session")
def upgrade(images: Images, shared_model: Model) -> Upgrade:
    """The present chart over the published one, while clients ask the model."""
    shared_model.wait_ready()
    chosen = ("--set", "page.enabled=true,page.chat=true")
    return watched(shared_model, lambda: install_chart(images, *chosen))


@pytest.fixture(scope="session")
def installed(images: Images, upgrade: Upgrade) -> Images:
    assert upgrade
    return images


@pytest.fixture
def model(installed: Images, shared_model: Model) -> Model:
    """The tests' model, Ready: whatever the test before did to it."""
    assert installed
    shared_model.wait_ready()
    return shared_model


@pytest.fixture(scope="session")
def gated(installed: Images) -> Model:
    """A model of a hub that cannot be reached, which is given up only after minutes of trying.

    It has both secrets. So that nobody waits for it, suites before the one that looks begin it.
    """
    assert installed
    source = {"source": "hf://Qwen/Qwen1.5-1.8B-Chat", "tokenSecretRef": HUB}
    wish = document("gated", model=source, chat={"apiKeySecretRef": DOOR})
    apply(wish, namespace=NAMESPACE)
    return Model("gated")


@pytest.fixture(scope="session")
def unmounted(installed: Images) -> Model:
    """A model with a volume that is not there, of which kubelet tells only after a while."""
    assert installed
    volume = {"name": "more", "secret": {"secretName": "nowhere"}}
    container = {"name": "triton", "volumeMounts": [{"name": "more", "mountPath": "/more"}]}
    wish = {"spec": {"volumes": [volume], "containers": [container]}}
    apply(document("unmounted", podTemplate=wish), namespace=NAMESPACE)
    return Model("unmounted")
