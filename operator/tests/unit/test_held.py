"""A new version of the operator leaves pods alone until their user, or their policy, says so."""

from dataclasses import replace
from typing import Any

import pytest

from qwen_operator import naming
from qwen_operator.api.resource import Resource, read_resource
from qwen_operator.cluster.protocol import DEPLOYMENT
from qwen_operator.desired.children import Desired, desired
from qwen_operator.desired.held import held_back
from qwen_operator.settings import Settings
from tests.unit.conftest import Bench
from tests.unit.stand_ins import BACKEND, Json, resource_body

NEWER = {**BACKEND, "model.py": "# a later one\n"}


def typed(**spec: Any) -> Resource:
    return read_resource(resource_body(**spec))


def live(wanted: Desired) -> dict[tuple[str, str], Json]:
    return {(each["kind"], each["metadata"]["name"]): each for each in wanted.children}


def old(resource: Resource) -> dict[tuple[str, str], Json]:
    return live(desired(resource, Settings(), BACKEND))


def new(resource: Resource, settings: Settings | None = None) -> Desired:
    return desired(resource, settings or Settings(), NEWER)


def test_a_newer_rendering_of_the_same_spec_is_held_back() -> None:
    before = desired(typed(), Settings(), BACKEND)
    held = held_back(typed(), new(typed()), live(before))
    assert held.deployment["spec"]["template"] == before.deployment["spec"]["template"]
    assert (held.template_hash, held.config_hash) == (before.template_hash, before.config_hash)
    assert held.kept == {("ConfigMap", f"qwen-{before.config_hash}")}
    assert "ConfigMap" not in {each["kind"] for each in held.children}


def test_what_is_held_is_stable() -> None:
    held = held_back(typed(), new(typed()), old(typed()))
    again = held_back(typed(), new(typed()), {**old(typed()), **live(held)})
    assert again == held


def test_a_changed_spec_takes_the_newest_rendering() -> None:
    changed = typed(engine={"maxModelLen": 512})
    assert held_back(changed, new(changed), old(typed())) == new(changed)


@pytest.mark.parametrize(
    "spec",
    [
        {"replicas": 3},
        {"suspend": True},
        {"rollout": {"maxSurge": 1}},
        {"service": {"type": "NodePort"}},
    ],
)
def test_a_live_field_changes_and_pods_stay_held(spec: dict[str, Any]) -> None:
    changed = typed(**spec)
    held = held_back(changed, new(changed), old(typed()))
    assert held.template_hash == desired(typed(), Settings(), BACKEND).template_hash
    assert held.deployment["spec"]["replicas"] == (
        0 if changed.spec.suspend else changed.spec.replicas
    )


def test_another_default_image_is_held_back_too() -> None:
    settings = Settings(default_image="other:1")
    held = held_back(typed(), new(typed(), settings), old(typed()))
    assert held.image == Settings().default_image


def test_the_policy_always_holds_nothing() -> None:
    resource = typed(updatePolicy="Always")
    assert held_back(resource, new(resource), old(typed())) == new(resource)


def test_without_its_config_map_a_rendering_cannot_be_held() -> None:
    without = {place: each for place, each in old(typed()).items() if place[0] != "ConfigMap"}
    assert held_back(typed(), new(typed()), without) == new(typed())


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"spec": {}}'])
def test_a_template_that_somebody_edited_is_not_trusted(text: str) -> None:
    found = old(typed())
    found[("Deployment", "qwen")]["metadata"]["annotations"][naming.RENDERED_ANNOTATION] = text
    assert held_back(typed(), new(typed()), found) == new(typed())


def test_a_template_with_other_content_under_the_same_digest_is_not_trusted() -> None:
    found = old(typed())
    stamps = found[("Deployment", "qwen")]["metadata"]["annotations"]
    edited = stamps[naming.RENDERED_ANNOTATION].replace('"emptyDir"', '"hostPath"')
    assert edited != stamps[naming.RENDERED_ANNOTATION]
    stamps[naming.RENDERED_ANNOTATION] = edited
    assert held_back(typed(), new(typed()), found) == new(typed())


def test_the_status_can_tell_who_rendered_it() -> None:
    found = old(typed())
    stamps = found[("Deployment", "qwen")]["metadata"]["annotations"]
    stamps[naming.RENDERED_BY_ANNOTATION] = "0.0.9"
    assert held_back(typed(), new(typed()), found).rendered_by == "0.0.9"
    assert replace(new(typed()), rendered_by="0.0.9") != new(typed())


async def test_the_status_names_pods_of_an_older_rendering(bench: Bench) -> None:
    bench.add(resource_body())
    await bench.once()
    wanted = bench.cluster.one(DEPLOYMENT, "qwen")["spec"]["template"]["metadata"]
    stamps = {**wanted["annotations"], naming.TEMPLATE_HASH_ANNOTATION: "older"}
    for name, annotations in (("new", wanted["annotations"]), ("old", stamps)):
        metadata = {"name": name, "namespace": "models", "labels": wanted["labels"]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**metadata, "annotations": annotations},
        }
        bench.cluster.put({**pod, "status": {}})
    await bench.once()
    assert bench.cluster.resource()["status"]["outdatedPods"] == ["old"]
