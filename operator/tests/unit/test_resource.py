"""Reading a resource: typed values, or words that name the field and what is allowed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.api.resource import read_resource
from qwen_operator.errors import InvalidSpec
from qwen_operator.naming import Key
from tests.unit.stand_ins import UID, Json, resource_body


def test_a_resource_knows_its_names() -> None:
    found = read_resource(resource_body("1.5-chat"))
    assert found.key == Key("models", "1.5-chat")
    assert (found.uid, found.generation) == (UID, 1)
    assert found.served_name == "1.5-chat"
    assert found.child.startswith("q-1-5-chat-")
    named = resource_body(model={"source": "hf://a/b", "servedName": "m"})
    assert read_resource(named).served_name == "m"


BAD: list[tuple[Json, str]] = [
    ({"model": {}}, "spec.model.source"),
    ({"model": {"source": "s3://bucket/x"}}, "spec.model.source"),
    ({"model": {"source": "hf://a/b\n"}}, "spec.model.source"),
    ({"model": {"source": "hf://a/b", "servedName": "../x"}}, "spec.model.servedName"),
    ({"engine": {"dtype": "int4"}}, "spec.engine.dtype"),
    ({"engine": {"maxModelLen": 0}}, "spec.engine.maxModelLen"),
    ({"replicas": -1}, "spec.replicas"),
    ({"replicas": "many"}, "spec.replicas"),
    ({"unknown": 1}, "spec.unknown"),
    ({"triton": {"image": "a b"}}, "spec.triton.image"),
    ({"triton": {"imagePullSecrets": ["ok", "Not ok"]}}, "spec.triton.imagePullSecrets[1]"),
    ({"resources": {"memory": "4 GB"}}, "spec.resources.memory"),
    ({"scheduling": {"nodeSelector": {"a": "x" * 64}}}, "spec.scheduling.nodeSelector.a"),
]


@pytest.mark.parametrize(("spec", "field"), BAD, ids=[field for _, field in BAD])
def test_words_name_the_field_that_cannot_be(spec: Json, field: str) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(field)):
        read_resource(resource_body(**spec))


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(InvalidSpec) as problem:
        read_resource(resource_body(replicas=-1, engine={"dtype": "x"}))
    assert "spec.replicas" in str(problem.value)
    assert "spec.engine.dtype" in str(problem.value)


SPECS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", "source", "engine", "extraArgs", "replicas", "triton", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["model", "engine", "replicas", "chat"]), SPECS, max_size=4))
def test_whatever_is_stored_it_is_read_or_refused_with_words(spec: Json) -> None:
    body = resource_body()
    body["spec"] = spec
    words = "spec"
    try:
        read_resource(body)
    except InvalidSpec as problem:
        words = str(problem)
    assert "spec" in words


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        (
            {"engine": {"loraAdapters": [{"name": "a", "source": "hf://x/y"}] * 2}},
            "spec.engine.loraAdapters[1].name: 'a' is the name of the model or of another adapter",
        ),
        (
            {
                "model": {"source": "hf://a/b", "servedName": "a"},
                "engine": {"loraAdapters": [{"name": "a", "source": "hf://x/y"}]},
            },
            "spec.engine.loraAdapters[0].name: 'a' is the name of the model",
        ),
        (
            {"triton": {"env": [{"name": "QWEN_OPENAI_API_KEY", "secretKeyRef": {"name": "s"}}]}},
            "spec.triton.env[0].name: set spec.chat.apiKeySecretRef instead",
        ),
    ],
)
def test_what_has_a_field_of_its_own_or_a_taken_name_is_refused(fields: Json, where: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        read_resource(resource_body(**{"model": {"source": "hf://a/b"}, **fields}))
    assert where in str(refused.value)
