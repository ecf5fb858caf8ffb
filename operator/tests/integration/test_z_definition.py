"""The CustomResourceDefinition goes, with every resource, and comes back."""

from functools import partial
from pathlib import Path

from tests.integration.account import account
from tests.integration.api import QWENS, Api, eventually, resource
from tests.integration.control_plane import control_plane
from tests.integration.definition import apply_definition
from tests.integration.operating import complete, operating

DEFINITION = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/qwendeployments.qwen-operator.dev"
)
NAMESPACE = "default"


def has_none(api: Api, name: str) -> bool:
    """Whether all children of a resource are gone."""
    return not api.children(NAMESPACE, name)


def test_a_definition_that_is_deleted_and_restored_costs_a_restart_of_nothing(
    tmp_path: Path,
) -> None:
    """On an API server of its own: every resource of it goes."""
    with control_plane(tmp_path) as plane:
        plane.start_controllers()
        api = Api(plane.kubeconfig)
        apply_definition(api)
        with (
            account(api, plane.kubeconfig, tmp_path) as login,
            operating(login, NAMESPACE, tmp_path) as operator,
        ):
            # Of a kind that the garbage collector does not know yet it clears nothing away, and it
            # looks for new ones now and then.
            api.create(QWENS, NAMESPACE, resource("earlier"))
            eventually("all is there", partial(complete, api, NAMESPACE, "earlier"))
            api.delete(QWENS, NAMESPACE, "earlier")
            eventually("its children go", partial(has_none, api, "earlier"), 120)
            api.create(QWENS, NAMESPACE, resource("model"))
            eventually("all is there", partial(complete, api, NAMESPACE, "model"))
            api.call("DELETE", DEFINITION)
            eventually("its children go", partial(has_none, api, "model"), 120)
            eventually("it says so", lambda: "qwendeployments" in operator.log.lower())
            assert operator.process.poll() is None
            apply_definition(api)
            api.create(QWENS, NAMESPACE, resource("model"))
            eventually(
                "all is there",
                partial(complete, api, NAMESPACE, "model"),
                90,
                lambda: (api.one(QWENS, NAMESPACE, "model"), operator.log[-3000:]),
            )
            assert operator.process.poll() is None
            assert "unexpectedly" not in operator.log
            eventually("well again", lambda: operator.page("healthz") == (200, "ok\n"))
