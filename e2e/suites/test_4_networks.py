"""With networkPolicy.enabled, a real policy engine lets through what must pass and nothing else."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.cluster.addresses import API_PORT, NODE_IP
from e2e.policies.engine import enforcing
from e2e.stack import clients
from e2e.stack.commands import apply, get, kubectl, run
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.installation import RELEASE, Images, install_chart
from e2e.stack.models import NAMESPACE, Model, eventually
from e2e.stack.restricted import make_namespace

STRANGERS = "qwen-strangers"
WATCHERS = "monitoring"
CLIENT = "client"
# DNS runs on the node of the embedded cluster, outside of every namespace.
CLOSED = (
    f"networkPolicy.enabled=true,networkPolicy.dns[0].ipBlock.cidr={NODE_IP}/32"
    f",networkPolicy.models.namespaces={{{NAMESPACE}}}"
)
# Connects and says how that went; nothing that is dropped answers.
_KNOCK = (
    "import socket,sys; socket.create_connection((sys.argv[1],int(sys.argv[2])),2); print('in')"
)


def client_pod(image: str) -> dict[str, Any]:
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CLIENT},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": CLIENT,
                    "image": image,
                    "command": ["python3", "-m", "http.server", "8080"],
                    "securityContext": secure,
                }
            ],
        },
    }


def address(pod: str, namespace: str) -> str:
    return str(get("pod", pod, "-n", namespace)["status"]["podIP"])


def is_open(place: str, pod: str, host: str, port: int) -> bool:
    """Whether a pod gets a connection."""
    # The shell turns the refusal into an answer; kubectl's own failure stays one.
    shell = ("sh", "-c", 'python3 -c "$0" "$@" 2>/dev/null || echo out')
    said = kubectl("exec", "-n", place, pod, "--", *shell, _KNOCK, host, str(port))
    return said.strip() == "in"


@pytest.fixture(scope="module")
def closed(
    installed: Images, shared_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Model]:
    """The model's namespace and the operator behind policies that are enforced."""
    shared_model.wait_ready()
    for place in (STRANGERS, WATCHERS, NAMESPACE):
        make_namespace(place)
        apply(client_pod(installed.operator), namespace=place)
    for place in (STRANGERS, WATCHERS, NAMESPACE):
        kubectl("wait", "-n", place, f"pod/{CLIENT}", "--for=condition=Ready", "--timeout=60s")
    install_chart(installed, "--set", CLOSED)
    log = tmp_path_factory.mktemp("policies") / "engine.log"
    with enforcing(os.environ["KUBECONFIG"], log):
        model = address(shared_model.pods()[0]["metadata"]["name"], NAMESPACE)
        # The engine has to list pods and policies first; until then nothing passes.
        eventually("clients pass", lambda: is_open(NAMESPACE, CLIENT, model, 8000))
        yield shared_model
    install_chart(installed)
    kubectl("delete", "pod", CLIENT, "-n", NAMESPACE)
    kubectl("delete", "namespace", STRANGERS, WATCHERS, "--wait=false")


@pytest.fixture(scope="module")
def model_pod(closed: Model) -> str:
    return str(closed.pods()[0]["metadata"]["name"])


@pytest.mark.parametrize(
    ("place", "port", "passes"),
    [
        (NAMESPACE, 8000, True),
        (NAMESPACE, 8001, True),
        (NAMESPACE, 9000, True),
        (NAMESPACE, 8002, False),
        (WATCHERS, 8002, True),
        (WATCHERS, 8000, False),
        (STRANGERS, 8000, False),
        (STRANGERS, 8002, False),
        (STRANGERS, 9000, False),
    ],
)
def test_a_model_is_open_to_its_clients_and_its_metrics_to_prometheus(
    model_pod: str,
    place: str,
    port: int,
    passes: bool,  # noqa: FBT001 - a case
) -> None:
    assert is_open(place, CLIENT, address(model_pod, NAMESPACE), port) is passes


@pytest.mark.parametrize(("place", "passes"), [(WATCHERS, True), (STRANGERS, False)])
@pytest.mark.usefixtures("closed")
def test_the_operator_is_open_to_prometheus_alone(place: str, passes: bool) -> None:  # noqa: FBT001 - a case
    (pod,) = get("pods", "-n", OPERATOR_NAMESPACE, "-l", "app.kubernetes.io/name=qwen-operator")[
        "items"
    ]
    assert is_open(place, CLIENT, pod["status"]["podIP"], 8080) is passes


def test_a_model_reaches_neither_the_api_server_nor_other_pods(model_pod: str) -> None:
    for host, port in ((NODE_IP, API_PORT), (address(CLIENT, STRANGERS), 8080)):
        assert is_open(WATCHERS, CLIENT, host, port)
        assert not is_open(NAMESPACE, model_pod, host, port)


def test_the_operator_still_sees_its_model_and_the_model_still_answers(
    closed: Model,
) -> None:
    kubectl("-n", NAMESPACE, "annotate", "qwen", closed.name, "example.com/poke=1", "--overwrite")
    closed.wait_ready(30)
    base = f"http://{clients.service_address(closed.name, NAMESPACE)}:8000"
    assert clients.generate(base, closed.name, {"prompt": "Hi"})["response"]
    metrics = clients.page(f"http://{_operator_address()}:8080/metrics")
    assert 'qwen_operator_api_requests_total{code="0"' not in metrics


def _operator_address() -> str:
    selector = "app.kubernetes.io/name=qwen-operator"
    (pod,) = get("pods", "-n", OPERATOR_NAMESPACE, "-l", selector)["items"]
    return str(pod["status"]["podIP"])


def test_helm_test_passes_the_policies(closed: Model) -> None:
    said = run("helm", "test", RELEASE, "-n", OPERATOR_NAMESPACE, "--logs", timeout=180)
    assert f"{NAMESPACE}/{closed.name} answers" in said


def test_with_default_deny_nothing_else_of_those_namespaces_is_open(
    closed: Model, installed: Images, model_pod: str
) -> None:
    bystander, model = address(CLIENT, NAMESPACE), address(model_pod, NAMESPACE)
    assert is_open(WATCHERS, CLIENT, bystander, 8080)
    install_chart(installed, "--set", f"{CLOSED},networkPolicy.defaultDeny=true")

    def is_denied() -> bool:
        return not is_open(WATCHERS, CLIENT, bystander, 8080)

    eventually("the bystander is closed", is_denied, 60)
    assert not is_open(NAMESPACE, CLIENT, model, 8000), "it reaches nobody either"
    assert is_open(WATCHERS, CLIENT, model, 8002)
    kubectl("-n", NAMESPACE, "annotate", "qwen", closed.name, "example.com/poke=2", "--overwrite")
    closed.wait_ready(60)
    said = run("helm", "test", RELEASE, "-n", OPERATOR_NAMESPACE, "--logs", timeout=180)
    assert f"{NAMESPACE}/{closed.name} answers" in said
