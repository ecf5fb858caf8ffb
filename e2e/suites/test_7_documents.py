"""Every command of the pages that need a cluster, as a reader would type them, page after page."""

from collections.abc import Iterator

import pytest

from docsite.blocks import Block, Fate, blocks
from docsite.session import Session
from e2e.stack.commands import get, kubectl
from e2e.stack.installation import DEFINITION, Images, uninstall_chart
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.models import NAMESPACE, eventually
from e2e.stack.registry import registry
from e2e.stack.restricted import make_namespace
from e2e.stack.weights import offer_weights
from e2e.tiny_qwen.school.answers import EXPECTED as ANSWERS
from monitoring.prometheus import install

EXPECTED = {
    "helm test": "default/tiny-qwen answers 'Who are you?'",
    "replicas=2 --wait": "qwen-operator-",
    "uninstall qwen-operator": "uninstalled",
    "auth can-i list pods": "yes",
    "auth can-i list secrets": "no",
    "crds.install=false": "watches team-b",
    "jsonpath='{.items[*].spec.containers[*].image}'": "localhost:5000/qwen-operator@sha256:",
    "networkPolicy.enabled": "qwen-operator-models",
    "images sbom": "operator.cdx.json",
    "dashboards.enabled": "STATUS: deployed",
    "get qwen $NAME -o wide": "Serving",
    '"prompt": "Who are you?"': ANSWERS["an identity"].answer,
    "/v1/chat/completions": '"role":"assistant"',
    "localhost:8090/": "<title>Qwen fleet</title>",
    "'{.status.failure}'": '"reason":"ModelNotFound"',
    "qwenctl status $NAME": "ModelNotFound",
    "qwenctl diff": "maxModelLen",
    "apply -f cache.yaml -f private.yaml": "private-qwen",
    "tar --list": "tiny-qwen",
    '"suspend": true': "Suspended",
}
"""Part of a block → what it must print."""
BY_ITSELF = ("docs/install.md", "docs/airgapped.md")
ONE_AFTER_THE_OTHER = (
    "docs/start/cluster.md",
    "docs/wire.md",
    "docs/howto/broken-model.md",
    "docs/howto/updating.md",
    "docs/howto/private-model.md",
    "docs/howto/scaling.md",
    "docs/howto/page.md",
    "docs/security.md",
    "docs/monitoring.md",
)
"""Pages of one reader, in whose cluster the first installs the operator and a model."""


def typed(*pages: str) -> list[object]:
    """What is typed on the cluster, and the files that it needs."""
    found = (each for each in blocks(*pages) if each.fate is Fate.CLUSTER or each.file)
    return [pytest.param(each, id=each.place) for each in found]


def test_every_command_for_a_cluster_is_typed_here() -> None:
    pages = {each.page for each in blocks() if each.fate is Fate.CLUSTER}
    assert pages == {*BY_ITSELF, *ONE_AFTER_THE_OTHER}


def test_what_is_expected_is_expected_of_some_command() -> None:
    commands = [each.text for each in blocks() if each.fate is Fate.CLUSTER]
    assert [part for part in EXPECTED if not any(part in each for each in commands)] == []


def read(session: Session, block: Block) -> None:
    said = session.read(block)
    for part, words in EXPECTED.items():
        if part in block.text and block.fate is Fate.CLUSTER:
            assert words in said


@pytest.fixture(scope="module")
def fresh(installed: Images) -> Iterator[None]:
    """A cluster that has not seen the product, and weights in the namespace default."""
    assert installed
    uninstall_chart()
    kubectl("delete", DEFINITION, timeout=90)
    kubectl("delete", "namespace", OPERATOR_NAMESPACE, NAMESPACE, "--wait=true", timeout=120)
    eventually("no pod of models is left", lambda: not _model_pods(), 90)
    offer_weights("default")
    yield
    kubectl("delete", "pvc,pv", "--all", "-n", "default", "--wait=false")


def _model_pods() -> list[object]:
    return list(get("pods", "-A", "-l", "app.kubernetes.io/managed-by=qwen-operator")["items"])


@pytest.fixture(scope="module")
def own(fresh: None, images: Images) -> dict[str, str]:
    assert fresh is None
    image, _, tag = images.operator.rpartition(":")
    return {
        "IMAGE": image,
        "TAG": tag,
        "CPU_IMAGE": images.triton_cpu,
        "MODEL": "examples/tiny-cpu.yaml",
        "NAME": "tiny-qwen",
    }


@pytest.fixture(scope="module")
def installing(own: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(tmp_path_factory.mktemp("installing"), own)


@pytest.fixture(scope="module")
def carrying(own: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("carrying")
    with registry(folder) as address:
        mine = {"FROM": "containers-storage:localhost", "TAG": own["TAG"], "REGISTRY": address}
        yield Session(folder, mine, {"HOME": str(folder)})


@pytest.fixture(scope="module")
def beginning(own: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A reader's shell, with what the page on monitoring needs beside it."""
    make_namespace("monitoring")
    install()  # promtool, for the page's own check
    yield Session(tmp_path_factory.mktemp("beginning"), own)
    uninstall_chart()
    kubectl("delete", "namespace", "monitoring", "--wait=false")


@pytest.mark.parametrize("block", typed("docs/install.md"))
def test_installing(installing: Session, block: Block) -> None:
    read(installing, block)


@pytest.mark.parametrize("block", typed("docs/airgapped.md"))
def test_carrying_it_into_a_cluster_without_a_way_out(carrying: Session, block: Block) -> None:
    read(carrying, block)


@pytest.mark.parametrize("block", typed(*ONE_AFTER_THE_OTHER))
def test_beginning_and_going_on(beginning: Session, block: Block) -> None:
    read(beginning, block)
