"""Everything that the chart can make, before an API server that knows every kind of it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import yaml

from charts.golden import CASES
from charts.rendering import render
from e2e.stack.commands import get, kubectl
from e2e.stack.installation import Images
from e2e.stack.models import eventually
from e2e.stack.prometheus_operator import KINDS, define, rendered, undefine
from e2e.stack.restricted import make_namespace


@pytest.fixture(scope="module")
def prometheus_operator(installed: Images) -> Iterator[None]:
    assert installed
    assert rendered() == {}
    define()
    yield
    undefine()


def _accounts(namespace: str) -> list[object]:
    return list(get("serviceaccounts", "-n", namespace)["items"])


@pytest.fixture(scope="module")
def places(installed: Images) -> Iterator[None]:
    """The namespaces that the golden cases name."""
    assert installed
    names = ("system", "one", "two", "team", "monitoring")
    for each in names:
        make_namespace(each)
    for each in names:
        # A pod is refused before its namespace has one.
        eventually("a service account", partial(_accounts, each))
    yield
    kubectl("delete", "namespace", *names, "--wait=false")


@pytest.mark.usefixtures("prometheus_operator")
def test_monitors_appear_with_their_api_and_the_api_server_takes_them() -> None:
    def all_three() -> dict[str, dict[str, Any]] | None:
        found = rendered()
        return found if found.keys() == KINDS else None

    # The API server tells of new kinds a moment after it has established them.
    for each in eventually("the chart makes all three", all_three).values():
        given = yaml.safe_dump(each)
        kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=given)


@pytest.mark.usefixtures("prometheus_operator", "places")
@pytest.mark.parametrize("case", CASES)
def test_the_api_server_takes_every_object_of_every_case_without_a_warning(case: str) -> None:
    options, apis = CASES[case]
    documents = render(*options, apis=apis)
    assert documents
    kubectl(
        *("apply", "--server-side", "--force-conflicts", "--field-manager=test"),
        *("--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-"),
        given=yaml.safe_dump_all(documents),
    )
