"""`qwenctl lint`: refuses what the API server and the operator refuse, on the right lines."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import cel
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.api.quantities import amount
from qwen_operator.api.schema import rules
from qwen_operator.compat.images import NVIDIA_TAGS
from qwen_operator.settings import Settings
from qwenctl.checks.findings import Finding, Origin
from qwenctl.checks.resource import check
from qwenctl.checks.schema import SPEC
from qwenctl.checks.structure import KEYWORDS
from qwenctl.documents import Document, documents
from tests.integration.api import resource
from tests.integration.test_refusals import CASES, RULES, SCHEMAS, VALID
from tests.unit.qwenctl.calling import ROOT, qwenctl
from tests.unit.specs import SPECS

Json = dict[str, Any]
GOOD = (ROOT / "examples" / "qwen1.5-1.8b-chat-gpu.yaml").read_text(encoding="utf-8")


def found_in(body: Json) -> list[Finding]:
    return check(Document(body, 1), Settings())


def said(body: Json) -> str:
    return "\n".join(each.message for each in found_in(body))


def fields_of(body: Json) -> set[str]:
    made = set()
    for each in found_in(body):
        text = ""
        for part in each.where:
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
        made.add(text.removeprefix("."))
    return made


@pytest.mark.parametrize(("words", "field", "specs"), CASES, ids=list(RULES))
def test_every_rule_refuses_offline_what_the_api_server_refuses(
    words: str, field: str, specs: list[Json]
) -> None:
    for spec in specs:
        body = resource("refused", **spec)
        assert words in said(body), spec
        assert fields_of(body) == {field}, spec


@pytest.mark.parametrize(
    ("field", "spec"), SCHEMAS, ids=[f"{n}-{c[0]}" for n, c in enumerate(SCHEMAS)]
)
def test_the_schema_refuses_offline_what_the_api_server_refuses(field: str, spec: Json) -> None:
    body = resource("refused", **spec)
    assert field in fields_of(body)
    assert {each.origin for each in found_in(body)} == {Origin.api_server}


@pytest.mark.parametrize("spec", VALID, ids=str)
def test_what_the_api_server_accepts_is_accepted(spec: Json) -> None:
    of_the_server = [
        each for each in found_in(resource("allowed", **spec)) if each.origin is not Origin.operator
    ]
    assert of_the_server == []


@given(SPECS)
def test_a_spec_that_the_types_make_never_breaks_the_structure(spec: Json) -> None:
    findings = found_in({**resource("any"), "spec": spec})
    structural = ("is needed, given", "unknown field", "is not one of", "is not within")
    assert not any(word in each.message for each in findings for word in structural)


@pytest.mark.parametrize(("path", "rule"), list(rules(SPEC, "spec")), ids=str)
def test_every_rule_can_be_read(path: str, rule: Mapping[str, str]) -> None:
    assert cel.compile(rule["rule"]), path


def _keywords(node: Mapping[str, Any]) -> Iterator[str]:
    yield from node
    for child in node.get("properties", {}).values():
        yield from _keywords(child)
    for name in {"items", "additionalProperties"} & node.keys():
        yield from _keywords(node[name])


def test_the_schema_holds_no_keyword_that_is_not_understood() -> None:
    assert set(_keywords(SPEC)) <= KEYWORDS


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", "1"),
        ("500m", "0.5"),
        ("1.5Gi", "1610612736"),
        ("2k", "2000"),
        ("1E", "1000000000000000000"),
        ("1e3", "1000"),
        ("1Ei", "1152921504606846976"),
        ("4 GB", None),
        ("", None),
    ],
)
def test_quantities_amount_to_what_kubernetes_says(text: str, size: str | None) -> None:
    assert amount(text) == (None if size is None else Decimal(size))


FILE = f"""\
apiVersion: v1
kind: ConfigMap
---
{GOOD.replace("revision", "")}
---
apiVersion: qwen-operator.dev/v1alpha1
kind: QwenDeployment
metadata: {{name: two}}
spec:
  model:
    source: hf://Qwen/Qwen3-8B
    revison: main
  triton:
    env:
    - name: A
      value: x
    - name: HF_TOKEN
      value: z
  engine:
    extraArgs:
      max_num_batch_tokens: 5
"""


def line_of(text: str, words: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if words in line)


def test_each_finding_stands_on_its_line_of_a_file_of_several_documents() -> None:
    done = qwenctl("lint", "-", "-o", "json", stdin=FILE)
    (found,) = json.loads(done.out)
    assert done.code == 1
    assert found["line"] == line_of(FILE, "revison")
    assert (found["resource"], found["field"]) == ("two", "spec.model.revison")
    assert "did you mean revision?" in found["message"]


def test_rules_and_the_operators_own_checks_have_lines_too() -> None:
    text = FILE.replace("    revison: main\n", "")
    done = qwenctl("lint", "-", "-o", "json", stdin=text)
    lines = {each["field"]: each["line"] for each in json.loads(done.out)}
    assert lines["spec.triton.env[1].value"] == line_of(text, "value: z")
    assert lines["spec.triton.env[1].name"] == line_of(text, "HF_TOKEN")
    text = text.replace("    - name: HF_TOKEN\n      value: z\n", "")
    (found,) = json.loads(qwenctl("lint", "-", "-o", "json", stdin=text).out)
    assert found["origin"] == "operator"
    assert found["line"] == line_of(text, "max_num_batch_tokens")
    assert "did you mean max_num_batched_tokens?" in found["message"]


def test_several_arguments_that_are_refused_are_several_findings() -> None:
    body = resource("args", engine={"extraArgs": {"model": "x", "worker_cls": "y"}})
    places = [each.where[-1] for each in found_in(body)]
    assert places == ["model", "worker_cls"]


def test_a_key_that_stands_twice_is_found() -> None:
    text = GOOD.replace("    dtype: half\n", "    dtype: half\n    dtype: auto\n")
    done = qwenctl("lint", "-", "-o", "json", stdin=text)
    (found,) = json.loads(done.out)
    assert (done.code, found["line"]) == (1, line_of(text, "dtype: auto"))


@pytest.mark.parametrize(
    ("change", "said_of_it"),
    [
        ({"apiVersion": "qwen-operator.dev/v9"}, "apiVersion: 'qwen-operator.dev/v9'"),
        ({"metadata": {}}, "metadata.name: is missing"),
        ({"metadata": {"name": "Not_Ok"}}, "metadata.name: 'Not_Ok' is not a name"),
        ({"metadata": None}, "metadata: an object"),
        ({"metadata": {"name": "a", "namespace": "A"}}, "metadata.namespace: 'A'"),
        (
            {"metadata": {"name": "a", "labels": {"x": 1}}},
            "metadata.labels.x: a string is needed, given 1",
        ),
        ({"spek": {}}, "spek: unknown field"),
        ({"spec": None}, "spec: an object is needed, given null"),
        ({"spec": []}, "spec: an object is needed, given []"),
        ({"spec": {"model": {"source": 5}}}, "spec.model.source: a string is needed, given 5"),
    ],
)
def test_what_is_wrong_around_the_spec_is_told(change: Json, said_of_it: str) -> None:
    assert said_of_it in said({**resource("fine"), **change})


def test_a_resource_without_a_spec_is_told_so() -> None:
    body = resource("bare")
    del body["spec"]
    assert said(body) == "spec: is required and missing"


def test_a_list_by_names_may_hold_each_only_once() -> None:
    twice = [{"name": "A", "value": "x"}, {"name": "A", "value": "y"}]
    assert said(resource("twice", triton={"env": twice})) == "spec.triton.env[1]: A stands twice"


def test_a_null_is_as_good_as_nothing_where_the_schema_knows_the_field() -> None:
    nulls = resource("nulls", engine={"dtype": None}, replicas=None)
    nulls["spec"]["model"] = {"source": "hf://a/b", "revision": None}
    assert found_in(nulls) == []
    assert (
        said(resource("nulls", model={"source": None}))
        == "spec.model.source: is required and missing"
    )
    assert "unknown field" in said(resource("nulls", modell=None))


def test_a_gpu_that_is_too_small_is_an_error_where_one_is_named() -> None:
    big = GOOD.replace("Qwen1.5-1.8B-Chat", "Qwen1.5-72B-Chat")
    assert qwenctl("lint", "-", stdin=big).code == 0
    done = qwenctl("lint", "-", "--gpu", "L4", stdin=big)
    assert done.code == 1
    assert "does not fit L4: weights (" in done.out


def test_the_image_decides_which_arguments_there_are() -> None:
    text = GOOD.replace("  triton:", "    extraArgs: {swap_space: 4}\n  triton:")
    oldest = min(NVIDIA_TAGS)
    image = f"nvcr.io/nvidia/tritonserver:{oldest}-vllm-python-py3"
    assert qwenctl("lint", "-", "--default-image", image, stdin=text).code == 0
    assert "does not have it any more" in qwenctl("lint", "-", stdin=text).out


def test_a_model_that_is_newer_than_the_images_vllm_is_a_warning() -> None:
    text = GOOD.replace("Qwen1.5-1.8B-Chat", "Qwen3-8B")
    image = "nvcr.io/nvidia/tritonserver:25.05-vllm-python-py3"
    done = qwenctl("lint", "-", "--default-image", image, stdin=text)
    assert done.code == 0
    assert "warning: spec.triton.image: Qwen3 asks for vLLM 0.8.5, the image has 0.8.4" in done.out
    assert "warning" not in qwenctl("lint", "-", "--default-image", image, stdin=GOOD).out
    assert "warning" not in qwenctl("lint", "-", stdin=text).out


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.name)
def test_every_example_is_without_a_finding(path: Path) -> None:
    done = qwenctl("lint", str(path))
    assert (done.code, done.out) == (0, "1 resource checked, no errors\n")


LAUGHS = "a0: &a0 [x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


def test_folders_are_searched_and_empty_ones_are_an_error(tmp_path: Path) -> None:
    assert "2 resources checked" in qwenctl("lint", "examples").out
    done = qwenctl("lint", str(tmp_path))
    assert done.code == 2
    assert "holds no file that ends in .yaml" in done.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\n", "no QwenDeployment in -"),
        ("", "no QwenDeployment in -"),
        ("a: [1\nb: 2", "line 2"),
        ("a:\n\t- b", "line 2, column 1: not YAML"),
        ("a: *b", "not YAML"),
        ("? {a: 1}\n: b", "cannot be the name of a field"),
        ("&a [*a]", "line 1: nested too deep"),
        ("kind: QwenDeployment\nspec: &s {model: *s}", "nested too deep, or too large"),
        ("a: " + "[" * 5000, "nested too deep"),
        (LAUGHS, "too large once its aliases are written out"),
    ],
)
def test_what_is_no_file_of_ours_is_a_usage_error(text: str, words: str) -> None:
    done = qwenctl("lint", "-", stdin=text)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_json_is_yaml() -> None:
    text = json.dumps(yaml.safe_load(GOOD))
    assert qwenctl("lint", "-", stdin=text).code == 0


def test_lines_survive_anchors_and_flow_style() -> None:
    text = "kind: QwenDeployment\na: &x\n  b: 1\nc: {d: [1, {e: 2}]}\nf: *x\n"
    (found,) = documents(text, "here")
    assert found.line_of(("a", "b")) == 3
    assert found.line_of(("c", "d", 1, "e")) == 4
    assert found.line_of(("c", "d", 1, "e", "nowhere")) == 4
    assert found.line_of(("nowhere",)) == 1


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
)
KEYS = st.text(max_size=8) | st.integers() | st.sampled_from(list(SPEC["properties"]))
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING, ANYTHING)
def test_whatever_stands_in_a_document_is_answered_with_findings(metadata: Any, spec: Any) -> None:
    body = {**resource("x"), "metadata": metadata, "spec": spec}
    assert all(each.message for each in found_in(body))


@given(st.text(max_size=60) | st.text("-:&*?!|>%@`{}[],#\"' \nab", max_size=40))
def test_whatever_stands_in_a_file_is_answered_with_an_exit_code(text: str) -> None:
    done = qwenctl("lint", "-", stdin=text)
    assert done.code in {0, 1, 2}
    assert "Traceback" not in done.err
