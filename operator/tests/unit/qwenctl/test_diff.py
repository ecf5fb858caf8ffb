"""`qwenctl diff`: what changes, which pods are replaced, and why."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from qwen_operator.api.resource import read_resource
from qwen_operator.desired.children import desired
from qwen_operator.settings import Settings
from qwenctl.online.change import effect, settings_of, stored
from qwenctl.rendering import backend_files
from tests.unit.qwenctl.api import Api
from tests.unit.qwenctl.calling import ROOT, qwenctl
from tests.unit.qwenctl.conftest import QWENS, hold, pod, serving_body
from tests.unit.stand_ins import resource_body
from tests.unit.test_reconcile_doc import CPU, GPU, OTHER, ROWS

Json = dict[str, Any]


def live(**spec: Any) -> Json:
    body = serving_body()
    body["spec"] |= spec
    return {**body, "spec": stored(body)}


def written(**spec: Any) -> str:
    body = resource_body(**spec)
    body["metadata"] = {"name": "qwen"}
    return json.dumps(body)


def test_the_same_file_is_no_difference(api: Api) -> None:
    hold(api, live(), [pod()])
    done = qwenctl("diff", "-", stdin=written())
    assert (done.code, done.out) == (0, "qwen\n  no difference\n")


def test_what_is_written_out_is_no_difference_to_what_is_defaulted(api: Api) -> None:
    hold(api, live(), [pod()])
    assert qwenctl("diff", "-", stdin=written(replicas=None)).code == 0
    assert qwenctl("diff", "-", stdin=written(replicas=1, engine={"dtype": "auto"})).code == 0


def test_a_change_that_replaces_pods_says_which_and_how_many(api: Api) -> None:
    hold(api, live(), [pod(), pod("qwen-2")])
    done = qwenctl("diff", "-", stdin=written(engine={"maxModelLen": 4096}, replicas=2))
    assert done.code == 1
    assert "  spec.engine.maxModelLen: (not set) → 4096  (replaces pods)\n" in done.out
    assert "  spec.replicas: 1 → 2\n" in done.out
    assert "  then 2 pods are replaced, 1 missing and 0 more at a time\n" in done.out
    assert "  then 1 pod is started\n" in done.out


def test_a_change_that_leaves_pods_alone_says_so(api: Api) -> None:
    hold(api, live(replicas=3), [pod()])
    done = qwenctl("diff", "-", "-o", "json", stdin=written(service={"type": "NodePort"}))
    (found,) = json.loads(done.out)
    assert not any(each["restartsPods"] for each in found["changes"])
    assert found["actions"] == ["2 pods are stopped", "the Service is changed in place"]
    suspended = qwenctl("diff", "-", stdin=written(suspend=True, replicas=3))
    assert "then all pods are stopped" in suspended.out


def test_what_cannot_change_is_refused_with_the_api_servers_words(api: Api) -> None:
    hold(api, live(), [])
    source = "hf://Qwen/Qwen1.5-1.8B-Chat"
    done = qwenctl("diff", "-", stdin=written(model={"source": source, "servedName": "x"}))
    assert "would be refused: spec.model.servedName cannot change" in done.out


def test_a_resource_that_is_not_there_would_be_created(api: Api) -> None:
    hold(api, live(), [])
    done = qwenctl("diff", "-", stdin=written().replace('"name": "qwen"', '"name": "new"'))
    assert (done.code, done.out) == (1, "new\n  then it is created\n")


def test_the_namespace_of_the_file_counts(api: Api) -> None:
    api.holds(f"{QWENS.replace('models', 'other')}", {"items": []})
    body = json.loads(written())
    body["metadata"]["namespace"] = "other"
    assert qwenctl("diff", "-", stdin=json.dumps(body)).out.endswith("then it is created\n")


def test_the_operators_default_image_is_taken_from_the_status() -> None:
    body = serving_body()
    assert settings_of(body).default_image == body["status"]["image"]
    body["status"]["image"] = "mine/triton:1"
    assert settings_of(body).default_image == "mine/triton:1"
    cpu = copy.deepcopy(body)
    cpu["spec"]["resources"] = {"gpus": 0}
    assert settings_of(cpu).default_cpu_image == "mine/triton:1"
    body["spec"]["triton"] = {"image": "another:1"}
    assert settings_of(body) == Settings()


def _set(spec: Json, path: str, value: Any) -> Json:
    made = copy.deepcopy(spec)
    node = made
    *parents, last = re.sub(r"\[\]", "", path).split(".")[1:]
    for name in parents:
        node = node.setdefault(name, {})
    node[last] = value
    return made


@pytest.mark.parametrize(("path", "kind"), [(p, k) for p, k in ROWS.items() if p in OTHER])
def test_every_field_of_the_table_is_told_as_the_table_says(path: str, kind: str) -> None:
    base = CPU if path == "spec.engine.cpuKvCacheSpace" else GPU
    body = {**serving_body(), "spec": base}
    del body["status"]
    changed = {**body, "spec": _set(base, path, OTHER[path])}
    before = desired(read_resource(body), Settings(), backend_files())
    after = desired(read_resource(changed), Settings(), backend_files())
    found = effect(body, changed, backend_files(), 1)
    replaced = before.newest_hash != after.newest_hash
    assert any(each.restarts for each in found.changes) == replaced
    assert replaced == (kind == "restart")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("a: 1", 2, "holds no QwenDeployment"),
        ("a: [", 2, "not YAML"),
        (written(engine={"dtype": "x"}), 2, "spec.engine.dtype"),
        (written(engine={"extraArgs": {"no_such_argument_at_all": 1}}), 2, "no_such_argument"),
    ],
)
def test_a_file_that_would_be_refused_is_one_sentence(
    api: Api, text: str, code: int, words: str
) -> None:
    hold(api, live(), [])
    done = qwenctl("diff", "-", stdin=text)
    assert (done.code, done.out) == (code, "")
    assert words in done.err


def test_no_kubeconfig_is_exit_code_3(tmp_path: Path) -> None:
    file = ROOT / "examples" / "tiny-cpu.yaml"
    done = qwenctl("diff", str(file), "--kubeconfig", str(tmp_path / "none"))
    assert done.code == 3
