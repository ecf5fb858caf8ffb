"""YAML is read as kubectl reads it, with the line of every field."""

import json

import pytest

from e2e.stack.scalars import KUBECTL
from qwen_operator.errors import InvalidSpec
from qwenctl.documents import Document, documents
from tests.unit.qwenctl.calling import qwenctl


def only(text: str) -> Document:
    (found,) = documents(text, "a file")
    return found


@pytest.mark.parametrize(("scalar", "value"), KUBECTL.items(), ids=map(repr, KUBECTL))
def test_a_scalar_means_what_it_means_to_kubectl(scalar: str, value: object) -> None:
    found = only(f"a: {scalar}\n").body["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("scalar", [".inf", "-.Inf", ".nan", "!!float .inf"])
def test_a_number_that_json_lacks_is_refused_with_its_line(scalar: str) -> None:
    with pytest.raises(InvalidSpec, match=r"a file, line 1: (inf|-inf|nan) is no number"):
        documents(f"a: {scalar}\n", "a file")


def test_a_field_cannot_be_named_by_nothing() -> None:
    with pytest.raises(InvalidSpec, match="None cannot be the name of a field"):
        documents("{~: a}\n", "a file")


def test_json_is_read_as_json_and_has_lines_too() -> None:
    text = json.dumps({"a": {"b": "\U0001f600", "c": 1.0}}, indent="\t")
    assert "\\ud83d" in text
    found = only(text)
    assert found.body == {"a": {"b": "\U0001f600", "c": 1.0}}
    assert isinstance(found.body["a"]["c"], float)
    assert found.line_of(("a", "c")) == 4


def test_json_with_yaml_behind_it_is_yaml() -> None:
    assert [each.body for each in documents("{a: 1}\n---\nb: y\n", "f")] == [{"a": 1}, {"b": True}]


def test_json_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidSpec, match="NaN is no number that JSON knows"):
        documents('{"a": NaN}', "a file")


LISTED = """\
apiVersion: v1
kind: List
items:
- apiVersion: qwen-operator.dev/v1alpha1
  kind: QwenDeployment
  metadata: {name: one}
  spec:
    model: {source: hf://Qwen/Qwen3-8B}
- apiVersion: qwen-operator.dev/v1alpha1
  kind: QwenDeployment
  metadata: {name: two}
  spec:
    model: {source: hf://Qwen/Qwen3-8B}
    engine:
      dtype: half
      maxModelLenn: 5
      dtype: half
"""


@pytest.mark.parametrize("kind", ["List", "QwenDeploymentList"])
def test_a_list_as_kubectl_writes_it_is_several_objects_each_with_its_lines(kind: str) -> None:
    done = qwenctl("lint", "-", "-o", "json", stdin=LISTED.replace("kind: List", f"kind: {kind}"))
    found = json.loads(done.out)
    assert [(each["resource"], each["line"]) for each in found] == [("two", 16), ("two", 17)]
    assert "did you mean maxModelLen?" in found[0]["message"]
    assert "dtype: stands twice" in found[1]["message"]
