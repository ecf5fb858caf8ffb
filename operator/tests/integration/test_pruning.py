"""What an earlier operator named otherwise goes, as soon as nothing wants it."""

import pytest

from tests.integration.api import (
    DEPLOYMENTS,
    QWENS,
    SERVICES,
    Api,
    Json,
    eventually,
    resource,
)
from tests.integration.process import OperatorProcess


@pytest.mark.parametrize("folder", [DEPLOYMENTS, SERVICES], ids=["deployment", "service"])
def test_a_child_under_another_name_is_deleted(
    api: Api, namespace: str, operator: OperatorProcess, folder: str
) -> None:
    assert operator
    kind = folder.rsplit("/", 1)[1]
    name = f"kept-{kind}"
    api.create(QWENS, namespace, resource(name))

    def child() -> Json | None:
        return api.one(folder, namespace, name)

    made = eventually("the child is there", child)
    assert made
    spec = {key: value for key, value in made["spec"].items() if not key.startswith("clusterIP")}
    kept = ("labels", "ownerReferences")
    metadata = {key: made["metadata"][key] for key in kept}
    marks = {"qwen-operator.dev/resource": name}
    earlier = {
        "apiVersion": made["apiVersion"],
        "kind": made["kind"],
        "metadata": {**metadata, "name": f"earlier-{kind}", "annotations": marks},
        "spec": spec,
    }
    api.create(folder, namespace, earlier)
    eventually("it is gone", lambda: api.one(folder, namespace, f"earlier-{kind}") is None)
    assert child()
