"""Several releases in one cluster: those that would meet are refused, the others work.

It takes the release away that the suites before ran on.
"""

import re
import shlex

import pytest

from e2e.stack.commands import CommandError, apply, get, kubectl, run
from e2e.stack.installation import DEFINITION, Images, install_chart, uninstall_chart
from e2e.stack.models import NAMESPACE, Model, document, eventually
from e2e.stack.restricted import make_namespace

OTHER = "qwen-other"
LABEL = "app.kubernetes.io/name=qwen-operator"
NOWHERE = {"nodeSelector": {"qwen-operator.dev/no-such-node": "true"}}


def install(images: Images, release: str, *watched: str, definition: bool = False) -> str:
    """A release of its own namespace, for some namespaces or for all."""
    place = f"{release}-system"
    make_namespace(place)
    names = ("--set", f"watchNamespaces={{{','.join(watched)}}}") if watched else ()
    options = ("--set", f"crds.install={str(definition).lower()}", *names)
    return install_chart(images, *options, release=release, namespace=place)


def uninstall(release: str) -> None:
    uninstall_chart(release, f"{release}-system")
    kubectl("delete", "namespace", f"{release}-system", "--wait=false")


def deployment(name: str, namespace: str) -> dict[str, object] | None:
    found = get("deployments", "-n", namespace, "--field-selector", f"metadata.name={name}")
    return next(iter(found["items"]), None)


@pytest.fixture(scope="module")
def kept(installed: Images) -> Model:
    """A model that outlives its operator's release."""
    assert installed
    apply(document("kept", scheduling=NOWHERE), namespace=NAMESPACE)
    model = Model("kept")
    eventually("it has a pod", model.pods)
    return model


@pytest.mark.parametrize("watched", [(), (OTHER,)], ids=["the-whole-cluster", "one-namespace"])
def test_beside_a_release_for_the_whole_cluster_there_is_no_second(
    installed: Images, watched: tuple[str, ...]
) -> None:
    make_namespace(OTHER)
    words = "release qwen-operator of namespace qwen-system watches the whole cluster already"
    with pytest.raises(CommandError, match=words):
        install(installed, "second", *watched)
    assert get("deployments", "-n", "second-system")["items"] == []


def test_uninstalling_keeps_definition_resources_and_pods(kept: Model) -> None:
    (before,) = kept.pods()
    uninstall_chart()
    (after,) = kept.pods()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert kept.see()["metadata"]["name"] == kept.name
    assert get(DEFINITION)["spec"]["group"] == "qwen-operator.dev"


def test_another_release_takes_the_definition_over_as_the_refusal_says(
    installed: Images, kept: Model
) -> None:
    (before,) = kept.pods()
    with pytest.raises(CommandError, match="belongs to release qwen-operator") as refusal:
        install(installed, "alpha", NAMESPACE, definition=True)
    command = re.search(r"kubectl annotate .*", str(refusal.value))
    assert command
    run(*shlex.split(command[0]))
    said = install(installed, "alpha", NAMESPACE, definition=True)
    assert f"watches {NAMESPACE}." in said
    kubectl(
        "-n", NAMESPACE, "patch", "qwen", kept.name, "--type=merge", "-p", '{"spec":{"replicas":2}}'
    )
    eventually("its operator follows", lambda: len(kept.pods()) == 2)
    assert before["metadata"]["uid"] in {each["metadata"]["uid"] for each in kept.pods()}
    assert get("clusterroles", "-l", LABEL)["items"] == []


def test_releases_for_different_namespaces_work_side_by_side(installed: Images) -> None:
    make_namespace(OTHER)
    install(installed, "beta", OTHER)
    apply(document("theirs", scheduling=NOWHERE), namespace=OTHER)
    eventually("the second operator works", lambda: deployment("theirs", OTHER))


def test_what_meets_one_of_them_is_refused(installed: Images) -> None:
    with pytest.raises(CommandError, match=f"release beta .*watches namespace {OTHER} already"):
        install(installed, "third", OTHER)
    with pytest.raises(
        CommandError, match=r"which means the whole cluster, and release (alpha|beta) "
    ):
        install(installed, "third")


def test_what_names_a_namespace_that_is_missing_is_refused_and_makes_nothing(
    installed: Images,
) -> None:
    with pytest.raises(CommandError, match="kubectl create namespace nowhere"):
        install(installed, "third", "nowhere")
    assert get("serviceaccounts,roles", "-n", "third-system", "-l", LABEL)["items"] == []
    kubectl("delete", "namespace", "third-system", "--wait=false")


def test_uninstalled_they_leave_no_right_behind(kept: Model) -> None:
    uninstall("alpha")
    uninstall("beta")
    for kind in ("roles", "rolebindings", "clusterroles", "clusterrolebindings"):
        assert get(kind, "-A", "-l", LABEL)["items"] == []
    assert kept.pods()
    kubectl("delete", "qwen", "theirs", "-n", OTHER)
    kubectl("delete", "namespace", OTHER, "second-system", "--wait=false")
