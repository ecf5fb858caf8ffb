"""A new version of the operator leaves pods alone until their user, or their policy, says so."""

from dataclasses import replace
from typing import Any

import pytest

from qwen_operator import naming
from qwen_operator.api.resource import Resource, read_resource
from qwen_operator.cluster.protocol import DEPLOYMENT
from qwen_operator.desired.children import Desired, desired, rendered
from qwen_operator.desired.held import held_back, runs_already
from qwen_operator.desired.repository import backend_files
from qwen_operator.errors import InvalidSpec
from qwen_operator.naming import Key
from qwen_operator.reconcile.plans import Plans
from qwen_operator.settings import Settings
from tests.unit.conftest import Bench
from tests.unit.stand_ins import BACKEND, SOURCES, Json, resource_body

NEWER = backend_files({**SOURCES, "model.py": "# a later one\n"})


def typed(**spec: Any) -> Resource:
    return read_resource(resource_body(**spec))


def live(wanted: Desired) -> dict[tuple[str, str], Json]:
    shared = [wanted.backend] if wanted.backend else []
    return {(each["kind"], each["metadata"]["name"]): each for each in (*wanted.children, *shared)}


def old(resource: Resource) -> dict[tuple[str, str], Json]:
    return live(desired(resource, Settings(), BACKEND))


def new(resource: Resource, settings: Settings | None = None) -> Desired:
    return desired(resource, settings or Settings(), NEWER)


def test_a_newer_rendering_of_the_same_spec_is_held_back() -> None:
    before = desired(typed(), Settings(), BACKEND)
    held = held_back(typed(), new(typed()), live(before))
    assert held.deployment["spec"]["template"] == before.deployment["spec"]["template"]
    assert (held.template_hash, held.config_hash) == (before.template_hash, before.config_hash)
    assert held.kept == {("ConfigMap", f"qwen-{before.config_hash}"), ("ConfigMap", BACKEND.name)}
    assert held.backend is None
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


@pytest.mark.parametrize("prefix", ["qwen-", BACKEND.name])
def test_without_its_files_a_rendering_cannot_be_held(prefix: str) -> None:
    without = {
        place: each
        for place, each in old(typed()).items()
        if place[0] != "ConfigMap" or not place[1].startswith(prefix)
    }
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


OLDER = "nvcr.io/nvidia/tritonserver:25.08-vllm-python-py3"
GONE: Json = {"engine": {"extraArgs": {"disable_log_requests": True}}}


def edited(generation: int, **spec: Any) -> Json:
    body = resource_body(**GONE, **spec)
    return {**body, "metadata": {**body["metadata"], "generation": generation}}


def test_what_a_newer_default_image_lacks_matters_once_pods_would_run_it() -> None:
    before = desired(read_resource(resource_body(**GONE)), Settings(default_image=OLDER), BACKEND)
    newer = Plans(Settings(), NEWER)
    assert newer.plan(resource_body(**GONE), live(before)).wanted.image == OLDER
    with pytest.raises(InvalidSpec, match="disable_log_requests"):
        newer.plan(edited(2, updatePolicy="Always"), live(before))
    with pytest.raises(InvalidSpec, match="disable_log_requests"):
        newer.plan(edited(3, chat={"systemPrompt": "Hi."}), live(before))
    assert newer.plan(edited(4, replicas=3), live(before)).wanted.image == OLDER
    with pytest.raises(InvalidSpec, match="disable_log_requests"):
        newer.plan(resource_body(**GONE), {})


def test_what_runs_already_is_not_refused_by_a_later_table() -> None:
    # As it was accepted once, when less was known of values.
    body = resource_body(engine={"extraArgs": {"max_num_batched_tokens": "8192"}})
    running = rendered(read_resource(body), Settings(), BACKEND)
    assert runs_already(read_resource(body), running, live(running))
    assert Plans(Settings(), BACKEND).plan(body, live(running)).wanted == running
    with pytest.raises(InvalidSpec, match="max_num_batched_tokens"):
        Plans(Settings(), BACKEND).plan(body, {})


async def test_what_runs_already_is_known_by_what_the_store_keeps_of_it(bench: Bench) -> None:
    body = resource_body(engine={"extraArgs": {"max_num_batched_tokens": 8192}})
    bench.add(body)
    await bench.once()
    (kept,) = bench.store.members(Key("models", "qwen"), DEPLOYMENT)
    seen, resource = {("Deployment", "qwen"): kept}, read_resource(body)
    assert runs_already(resource, rendered(resource, Settings(), BACKEND), seen)


def test_to_tell_the_version_of_an_image_rolls_nothing() -> None:
    image = {"image": "registry.example.com/mine:1"}
    told = typed(triton={**image, "vllmVersion": "0.11.0"})
    held = held_back(told, new(told), old(typed(triton=image)))
    assert held.template_hash == desired(typed(triton=image), Settings(), BACKEND).template_hash


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
