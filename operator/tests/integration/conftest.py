"""What integration tests share: an API server, a fresh namespace a module, an operator in it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.integration.account import account
from tests.integration.api import Api, Problem
from tests.integration.definition import apply_definition
from tests.integration.outages import under_way
from tests.integration.process import OperatorProcess
from tests.integration.scene import scene

ROOT = Path(__file__).resolve().parents[3]
HOW = "start the embedded cluster with `python -m e2e.cluster up`, or set KUBECONFIG"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Whatever fails prints what was there: a later look finds another state."""
    report = yield
    api = getattr(item, "funcargs", {}).get("api")
    if report.failed and isinstance(api, Api):
        try:
            told = scene(api)
        except (OSError, Problem) as problem:
            told = f"the API server does not tell: {problem!r}"
        report.sections.append(("what was there", told))
    return report


@pytest.fixture(scope="session")
def admin() -> Path:
    """The kubeconfig of somebody who may do everything: the tests' own."""
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


@pytest.fixture(scope="session")
def api(admin: Path) -> Api:
    made = Api(admin)
    try:
        made.call("GET", "/version")
    except OSError as problem:
        pytest.fail(f"the API server of {admin} does not answer ({problem}): {HOW}")
    apply_definition(made)
    return made


@pytest.fixture(scope="session")
def kubeconfig(api: Api, admin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The operators' kubeconfig: they may do exactly what the chart's role lets them."""
    with account(api, admin, tmp_path_factory.mktemp("account")) as made:
        yield made


@pytest.fixture(scope="session")
def outages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[float]]]:
    """Outages that go on beside the tests, on an API server of their own."""
    with under_way(tmp_path_factory.mktemp("outages")) as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def _begin_early(request: pytest.FixtureRequest) -> None:
    """What takes a minute of waiting begins at once, if it is asked for at all."""
    if any("outages" in getattr(each, "fixturenames", ()) for each in request.session.items):
        request.getfixturevalue("outages")


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
