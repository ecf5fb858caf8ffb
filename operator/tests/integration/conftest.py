"""What integration tests share: an API server, a fresh namespace a module, an operator in it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.api import Api, Problem, eventually
from tests.integration.process import OperatorProcess

ROOT = Path(__file__).resolve().parents[3]
HOW = "start the embedded cluster with `python -m e2e.cluster up`, or set KUBECONFIG"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    if "KUBECONFIG" in os.environ:
        return Path(os.environ["KUBECONFIG"])
    asked = subprocess.run(
        [sys.executable, "-m", "e2e.cluster", "kubeconfig"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    path = Path(asked.stdout.strip() or "missing")
    if asked.returncode or not path.exists():
        pytest.fail(f"no kubeconfig ({asked.stderr.strip() or path}): {HOW}")
    return path


def _apply_definition(api: Api) -> None:
    text = (ROOT / "crds" / "qwendeployments.yaml").read_text(encoding="utf-8")
    name = "qwendeployments.qwen-operator.dev"
    path = f"{DEFINITION}/{name}?fieldManager=tests&force=true"
    api.call("PATCH", path, yaml.safe_load(text), "apply-patch+yaml")

    def established() -> bool:
        conditions = api.call("GET", f"{DEFINITION}/{name}").get("status", {}).get("conditions")
        return any(each["type"] == "Established" for each in conditions or ())

    eventually("the definition is established", established, 20)


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Api:
    made = Api(kubeconfig)
    try:
        made.call("GET", "/version")
    except OSError as problem:
        pytest.fail(f"the API server of {kubeconfig} does not answer ({problem}): {HOW}")
    _apply_definition(made)
    return made


@pytest.fixture(scope="module")
def namespace(api: Api, request: pytest.FixtureRequest) -> Iterator[str]:
    module = request.module.__name__.rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")
    name = f"qwen-test-{module[:30]}-{uuid.uuid4().hex[:6]}"
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    try:
        api.call("DELETE", f"/api/v1/namespaces/{name}")
    except Problem as problem:
        assert problem.status == 404, problem  # noqa: PT017 - gone is as good


@pytest.fixture
def process(
    api: Api, kubeconfig: Path, namespace: str, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """An operator of this test's own."""
    assert api
    made = OperatorProcess(kubeconfig, namespace, tmp_path)
    try:
        yield made.wait_until_ready()
    finally:
        made.end()


@pytest.fixture(scope="module")
def operator(
    api: Api, kubeconfig: Path, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """An operator that a module's tests share."""
    assert api
    made = OperatorProcess(kubeconfig, namespace, tmp_path_factory.mktemp("operator"))
    try:
        yield made.wait_until_ready()
        assert "Traceback" not in made.log, made.log
    finally:
        made.end()
