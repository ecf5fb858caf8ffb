"""`qwenctl render`: exactly what the operator applies, and the same for Docker."""

import itertools
import json
import shlex
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from qwen_operator.__main__ import backend as operators_files
from qwen_operator.cluster.protocol import OWNED
from qwen_operator.settings import Settings
from qwenctl.rendering import UNKNOWN_UID, backend_files
from tests.unit.conftest import make_bench
from tests.unit.qwenctl.calling import ROOT, qwenctl
from tests.unit.stand_ins import UID, resource_body
from tests.unit.test_sharing import upgrade

Json = dict[str, Any]
RECIPE = "examples/qwen1.5-1.8b-chat-gpu.yaml"
CASES = sorted((ROOT / "operator" / "tests" / "unit" / "cases").glob("*/cr.yaml"))


def rendered(*arguments: str, stdin: str = "") -> list[Json]:
    done = qwenctl("render", *arguments, stdin=stdin)
    assert (done.code, done.err) == (0, "")
    return list(yaml.safe_load_all(done.out))


async def test_the_objects_are_those_that_the_operator_applies() -> None:
    body = resource_body(
        autoscaling={"maxReplicas": 3, "metrics": [{"type": "Resource"}]},
        chat={"systemPrompt": "你好\nthere ' \" \t:"},
        service={"type": "NodePort"},
    )
    bench = make_bench()
    upgrade(bench, operators_files())
    applied: list[Json] = []
    apply = bench.cluster.apply

    async def recording(manifest: Json, *, new: bool = False) -> Json:
        applied.append(json.loads(json.dumps(manifest)))
        return await apply(manifest, new=new)

    bench.cluster.apply = recording  # type: ignore[method-assign]
    bench.add(body)
    await bench.once()
    assert {each["kind"] for each in applied} <= {each.kind for each in OWNED}
    # What does not need each other goes at once, in no order that matters.
    applied.sort(key=itemgetter("kind"))
    assert sorted(rendered("-", stdin=json.dumps(body)), key=itemgetter("kind")) == applied
    (listed,) = rendered("-", "-o", "json", stdin=json.dumps(body))
    assert sorted(listed["items"], key=itemgetter("kind")) == applied


def test_the_backend_is_the_one_that_the_operator_carries() -> None:
    assert backend_files() == operators_files()


def test_it_is_the_same_twice_and_carries_the_given_identity() -> None:
    one = qwenctl("render", RECIPE, "--uid", UID, "-n", "models")
    assert one == qwenctl("render", RECIPE, "--uid", UID, "-n", "models")
    objects = list(yaml.safe_load_all(one.out))
    assert {each["metadata"]["namespace"] for each in objects} == {"models"}
    # What all resources of a namespace read has no owner.
    shared, *owned = objects
    assert "ownerReferences" not in shared["metadata"]
    assert {each["metadata"]["ownerReferences"][0]["uid"] for each in owned} == {UID}
    (_shared, plain, *_) = rendered(RECIPE)
    assert plain["metadata"]["ownerReferences"][0]["uid"] == UNKNOWN_UID


def test_a_default_image_of_the_operator_is_taken_over() -> None:
    deployment = rendered(RECIPE, "--default-image", "mine/tritonserver:1")[-1]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "mine/tritonserver:1"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_every_golden_case_renders_or_is_refused_in_words(case: Path) -> None:
    done = qwenctl("render", str(case))
    refused = yaml.safe_load((case.parent / "children.yaml").read_text(encoding="utf-8")) == []
    assert (done.code == 2) == (refused or not done.out)
    assert "Traceback" not in done.err


def test_docker_gets_the_model_repository_and_the_command(tmp_path: Path) -> None:
    done = qwenctl("render", RECIPE, "--format", "docker", "--into", str(tmp_path))
    assert done.code == 0
    shared, own, *_ = rendered(RECIPE)
    model = tmp_path / "vllm_qwen1.5-1.8b-chat"
    volume = rendered(RECIPE)[-1]["spec"]["template"]["spec"]["volumes"][0]
    items = [
        each for source in volume["projected"]["sources"] for each in source["configMap"]["items"]
    ]
    data = {**shared["data"], **own["data"]}
    for each in items:
        assert (model / each["path"]).read_text(encoding="utf-8") == data[each["key"]]
    assert len([each for each in model.rglob("*") if each.is_file()]) == len(items)
    words = shlex.split(done.out.replace("\\\n", " "))
    assert words[:2] == ["docker", "run"]
    pairs = list(itertools.pairwise(words))
    assert ("--gpus", "1") in pairs
    assert ("--shm-size", "1g") in pairs
    assert ("-v", f"{tmp_path}:/models:ro") in pairs
    image = words.index(Settings().default_image)
    assert words[image + 1] == "tritonserver"
    assert "--load-model=vllm_qwen1.5-1.8b-chat" in words[image:]


def test_docker_is_written_again_but_nothing_foreign_is_overwritten(tmp_path: Path) -> None:
    arguments = ("render", RECIPE, "--format", "docker", "--into", str(tmp_path))
    assert qwenctl(*arguments).code == qwenctl(*arguments).code == 0
    mine = tmp_path / "vllm_qwen1.5-1.8b-chat" / "config.pbtxt"
    mine.write_text("mine", encoding="utf-8")
    done = qwenctl(*arguments)
    assert (done.code, mine.read_text(encoding="utf-8")) == (2, "mine")
    assert "config.pbtxt exists and holds something else; --force replaces it" in done.err
    assert qwenctl(*arguments, "--force").code == 0
    assert mine.read_text(encoding="utf-8") != "mine"


def test_docker_serves_a_claims_weights_from_a_folder(tmp_path: Path) -> None:
    arguments = ("render", "examples/tiny-cpu.yaml", "--format", "docker", "--into", str(tmp_path))
    done = qwenctl(*arguments)
    assert done.code == 2
    assert "name the folder that holds what lies on it with --weights" in done.err
    assert list(tmp_path.iterdir()) == []
    done = qwenctl(*arguments, "--weights", "/w", "-o", "json")
    command = json.loads(done.out)["command"]
    assert "/w:/weights:ro" in command
    assert "--gpus" not in command


def test_docker_takes_secrets_from_the_callers_environment(tmp_path: Path) -> None:
    body = resource_body(
        model={"source": "hf://a/b", "tokenSecretRef": {"name": "hub"}},
        resources={"gpus": 1, "memory": "1500Mi"},
        triton={"sharedMemorySize": "100M"},
        podTemplate={"spec": {"containers": [{"name": "triton", "env": []}]}},
    )
    done = qwenctl(
        *("render", "-", "--format", "docker", "--into", str(tmp_path), "-o", "json"),
        stdin=json.dumps(body),
    )
    command = json.loads(done.out)["command"]
    pairs = list(itertools.pairwise(command))
    assert ("-e", "HF_TOKEN") in pairs
    assert ("--memory", "1500m") in pairs
    assert ("--shm-size", "100000000b") in pairs
    assert "spec.podTemplate" in done.err


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("-",), "a: 1", "holds no QwenDeployment"),
        (("-",), json.dumps(resource_body(engine={"dtype": "x"})), "spec.engine.dtype"),
        (("-",), json.dumps(resource_body(engine={"extraArgs": {"model": 1}})), "spec.model"),
        ((RECIPE, "--format", "helm"), "", "--format 'helm': kubernetes or docker"),
        (("/nowhere",), "", "/nowhere: No such file"),
        (
            ("-", "--format", "docker"),
            f"{json.dumps(resource_body('a'))}\n---\n{json.dumps(resource_body('b'))}",
            "holds 2 resources; --format docker renders one",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], stdin: str, words: str
) -> None:
    done = qwenctl("render", *arguments, stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "Traceback" not in done.err
