"""What the API server refuses by the schema alone, and that it names the field."""

import pytest

from qwen_operator.api.schema import definition, rules
from tests.integration.api import QWENS, Api, Json, Problem, resource

SCHEMA = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
PVC = {"source": "pvc://claim"}
HF = {"source": "hf://a/b"}

RULES: dict[str, tuple[str, list[Json]]] = {
    "spec.model.revision names": ("spec.model.revision", [{"model": {**PVC, "revision": "main"}}]),
    "spec.model.tokenSecretRef is": (
        "spec.model.tokenSecretRef",
        [{"model": {**PVC, "tokenSecretRef": {"name": "s"}}}],
    ),
    "spec.model.cache keeps": (
        "spec.model.cache",
        [{"model": {**PVC, "cache": {"claimName": "c"}}}],
    ),
    "spec.model.source may not": (
        "spec.model.source",
        [
            {"model": {"source": f"pvc://claim/{path}"}}
            for path in ("a/../b", "..", "a/..", "a/./b", ".", "./a", "../a")
        ],
    ),
    "spec.rollout.maxSurge and": (
        "spec.rollout",
        [{"rollout": {"maxSurge": 0, "maxUnavailable": 0}}, {"rollout": {"maxUnavailable": 0}}],
    ),
    "spec.engine.tensorParallelSize x": (
        "spec",
        [
            {"resources": {"gpus": 2}},
            {"resources": {"gpus": 4}, "engine": {"tensorParallelSize": 2}},
            {"resources": {"gpus": 1}, "engine": {"pipelineParallelSize": 2}},
        ],
    ),
    "with spec.resources.gpus 0": ("spec", [{"engine": {"tensorParallelSize": 2}}]),
}
"""Beginning of a rule's message → the field that is named, and specs that break just this rule."""

CASES = [(words, *case) for words, case in RULES.items()]

SCHEMAS: list[tuple[str, Json]] = [
    ("spec.model.source", {"model": {"source": "ftp://x/y"}}),
    ("spec.model.source", {"model": {}}),
    ("spec.model.servedName", {"model": {**HF, "servedName": "a/b"}}),
    ("spec.replicas", {"replicas": "two"}),
    ("spec.replicas", {"replicas": -1}),
    ("spec.replicas", {"replicas": 1001}),
    ("spec.engine.dtype", {"engine": {"dtype": "int4"}}),
    ("spec.engine.gpuMemoryUtilization", {"engine": {"gpuMemoryUtilization": 1.5}}),
    ("spec.engine.enforceEager", {"engine": {"enforceEager": "yes"}}),
    ("spec.triton.image", {"triton": {"image": "has space"}}),
    ("spec.triton.imagePullSecrets[0]", {"triton": {"imagePullSecrets": ["Not Ok"]}}),
    ("spec.triton.loadTimeoutSeconds", {"triton": {"loadTimeoutSeconds": 1}}),
    ("spec.resources.memory", {"resources": {"gpus": 0, "memory": "4 GB"}}),
    ("spec.service.type", {"service": {"type": "ExternalName"}}),
    ("spec.chat.systemPrompt", {"chat": {"systemPrompt": "x" * 32769}}),
    ("spec.scheduling.tolerations", {"scheduling": {"tolerations": [{}] * 33}}),
]


def refusal(api: Api, namespace: str, spec: Json, query: str = "?dryRun=All") -> Problem:
    with pytest.raises(Problem) as found:
        api.create(QWENS, namespace, resource("refused", **spec), query)
    assert found.value.status in {400, 422}
    return found.value


def test_the_table_has_every_rule() -> None:
    messages = [rule["message"] for _, rule in rules(SCHEMA, "spec")]
    for words in RULES:
        assert [each for each in messages if each.startswith(words)], words
    assert len(messages) == len(RULES)


@pytest.mark.parametrize(("words", "field", "specs"), CASES, ids=list(RULES))
def test_a_rule_across_fields_refuses_with_its_words(
    api: Api, namespace: str, words: str, field: str, specs: list[Json]
) -> None:
    for spec in specs:
        problem = refusal(api, namespace, spec)
        assert words in str(problem), spec
        assert problem.fields == {field}, spec


@pytest.mark.parametrize(
    ("field", "spec"), SCHEMAS, ids=[f"{n}-{c[0]}" for n, c in enumerate(SCHEMAS)]
)
def test_a_value_that_cannot_be_is_refused_with_its_field(
    api: Api, namespace: str, field: str, spec: Json
) -> None:
    assert field in refusal(api, namespace, spec).fields


@pytest.mark.parametrize("spec", [{"modell": {}}, {"engine": {"maxModelLength": 5}}], ids=str)
def test_an_unknown_field_is_named(api: Api, namespace: str, spec: Json) -> None:
    (name,) = spec if "modell" in spec else spec["engine"]
    problem = refusal(api, namespace, spec, "?dryRun=All&fieldValidation=Strict")
    assert name in str(problem)


VALID: list[Json] = [
    {},
    {"model": {"source": "pvc://claim/a..b/.hidden"}},
    {"resources": {"gpus": 4}, "engine": {"tensorParallelSize": 2, "pipelineParallelSize": 2}},
    {"rollout": {"maxSurge": 1, "maxUnavailable": 0}},
    {"engine": {"extraArgs": {"any_key": {"nested": [1, "two", None]}}}},
    {
        "model": {
            **HF,
            "revision": "v1",
            "tokenSecretRef": {"name": "s"},
            "cache": {"claimName": "c"},
        }
    },
]


@pytest.mark.parametrize("spec", VALID, ids=str)
def test_what_should_be_allowed_is(api: Api, namespace: str, spec: Json) -> None:
    made = api.create(
        QWENS, namespace, resource("allowed", **spec), "?dryRun=All&fieldValidation=Strict"
    )
    assert made["spec"]["engine"]["dtype"] == "auto", "defaults are filled in"


def test_extra_arguments_are_stored_as_they_are(api: Api, namespace: str) -> None:
    extra = {"any_key": {"nested": [1, "two", 2.5, True]}}
    spec = resource("extra", engine={"extraArgs": extra})
    made = api.create(QWENS, namespace, spec, "?dryRun=All")
    assert made["spec"]["engine"]["extraArgs"] == extra
