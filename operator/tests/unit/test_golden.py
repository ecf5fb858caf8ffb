"""Golden cases: cr.yaml → children.yaml, and with observed.yaml → status.yaml.

`pytest operator/tests/unit/test_golden.py --update-golden` writes them; read the diff before it
is committed. Pods in observed.yaml run the present configuration unless they say otherwise.
"""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from qwen_operator import naming
from qwen_operator.api.resource import read_resource
from qwen_operator.cluster.protocol import DEPLOYMENT
from qwen_operator.desired.children import Desired, desired
from qwen_operator.errors import InvalidSpec
from qwen_operator.settings import Settings
from qwen_operator.triton.metrics import Reading
from tests.unit.conftest import PATIENCE, make_bench
from tests.unit.stand_ins import BACKEND, Json

CASES = Path(__file__).parent / "cases"
EXAMPLES = Path(__file__).parents[3] / "examples"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that a diff of them can be read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's name
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _dumped(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


def _loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _body(case: Path) -> Json:
    body: Json = _loaded(case / "cr.yaml")
    given = {"namespace": "models", "uid": f"uid-of-{case.name}", "generation": 3}
    return {**body, "metadata": {**given, "resourceVersion": "1", **body["metadata"]}}


def _wanted(body: Json) -> Desired | None:
    """What should exist; None where the spec is refused."""
    try:
        return desired(read_resource(body), Settings(), BACKEND)
    except InvalidSpec:
        return None


def _readable(children: tuple[Json, ...]) -> list[Json]:
    """Without the copy of the template that a Deployment carries: it stands below in full."""
    made = copy.deepcopy(list(children))
    for each in made:
        each["metadata"]["annotations"].pop(naming.RENDERED_ANNOTATION, None)
    return made


def _compare(path: Path, made: object, *, update: bool) -> None:
    text = _dumped(made)
    if update:
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: run with --update-golden and read what it says"
    assert path.read_text(encoding="utf-8") == text


def _pod(body: Json, pod: Json, template_hash: str, number: int) -> Json:
    owner = body["metadata"]
    given = {
        "namespace": owner["namespace"],
        "uid": pod["metadata"]["name"],
        "resourceVersion": "1",
        "labels": {naming.UID_LABEL: owner["uid"], naming.MANAGED_BY_LABEL: naming.MANAGED_BY},
    }
    annotations = {
        naming.OWNER_ANNOTATION: owner["name"],
        naming.TEMPLATE_HASH_ANNOTATION: template_hash,
        **pod["metadata"].get("annotations", {}),
    }
    metadata = {**given, **pod["metadata"], "annotations": annotations}
    status = {"podIP": f"10.1.0.{number}", **pod.get("status", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


_FIRST, _LATER = Reading(up=True, heartbeat=1.0), Reading(up=True, heartbeat=2.0)
READINGS: dict[str, tuple[Reading | None, Reading | None]] = {
    "up": (_FIRST, _LATER),
    "down": (_FIRST, Reading(up=False, heartbeat=2.0)),
    "stale": (_FIRST, _FIRST),
    "unreachable": (None, None),
}
"""What :8002 says at first, and again after the patience has run out."""


async def _status(body: Json, template_hash: str, observed: Json) -> Any:
    """The status that a pass writes when this is what there is to see."""
    bench = make_bench()
    bench.add(body)
    await bench.once(body["metadata"]["name"])
    bench.pods.readings.clear()
    entries = observed.get("pods") or []
    pods = [bench.add(_pod(body, each["pod"], template_hash, n)) for n, each in enumerate(entries)]
    for pod, each in zip(pods, entries, strict=True):
        for reading in READINGS.get(each.get("engine", ""), ()):
            bench.pods.readings[pod["status"]["podIP"]] = reading
            await bench.engines.read(pod)
            bench.clock.now += PATIENCE + 1
    if "deployment" in observed:
        deployment = next(iter(bench.cluster.all(DEPLOYMENT)))
        bench.add({**deployment, "status": observed["deployment"]})
    await bench.once(body["metadata"]["name"])
    return bench.cluster.resource(body["metadata"]["name"])["status"]


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
async def test_a_case_gives_its_children_and_its_status(
    case: Path, request: pytest.FixtureRequest
) -> None:
    update = bool(request.config.getoption("--update-golden"))
    body = _body(case)
    children, template_hash = [], ""
    if (wanted := _wanted(body)) is not None:
        children, template_hash = _readable(wanted.children), wanted.template_hash
    observed = _loaded(case / "observed.yaml") if (case / "observed.yaml").exists() else {}
    _compare(case / "children.yaml", children, update=update)
    _compare(case / "status.yaml", await _status(body, template_hash, observed), update=update)


def test_the_recipe_case_is_the_example_that_users_apply() -> None:
    case = _loaded(CASES / "recipe-on-a-gpu" / "cr.yaml")
    assert case == _loaded(EXAMPLES / "qwen1.5-1.8b-chat-gpu.yaml")
