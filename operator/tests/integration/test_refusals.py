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
    "with spec.resources.gpus 0 (serving": ("spec", [{"engine": {"tensorParallelSize": 2}}]),
    "spec.model.source is": (
        "spec.model.source",
        [{"model": {"source": source}} for source in ("ftp://x/y", "Qwen/Qwen3-8B", "hf://a", "")],
    ),
    "spec.model.source: a name": (
        "spec.model.source",
        [{"model": {"source": f"hf://a/{name}"}} for name in ("b--c", "b..c", "b.git")],
    ),
    "spec.model.revision is": (
        "spec.model.revision",
        [{"model": {**HF, "revision": revision}} for revision in ("-x", "a b", "--upload-pack=x")],
    ),
    "spec.model.servedName stands": (
        "spec.model.servedName",
        [{"model": {**HF, "servedName": name}} for name in ("a/b", "..", "a b", ".a")],
    ),
    "an object's name holds": (
        "spec.model.tokenSecretRef.name",
        [{"model": {**HF, "tokenSecretRef": {"name": name}}} for name in ("A", "a_b", "-a")],
    ),
    "a Secret's key holds": (
        "spec.model.tokenSecretRef.key",
        [{"model": {**HF, "tokenSecretRef": {"name": "s", "key": "a/b"}}}],
    ),
    "spec.chat.template is": ("spec.chat.template", [{"chat": {"template": "{{ prompt }}"}}]),
    "a parser is named": (
        "spec.chat.toolCallParser",
        [{"chat": {"toolCallParser": name}} for name in ("Hermes", "a b", "a/b")],
    ),
    "an adapter's name holds": (
        "spec.engine.loraAdapters[0].name",
        [
            {"engine": {"loraAdapters": [{"name": name, "source": "hf://a/b"}]}}
            for name in ("a/b", "-a", "a b")
        ],
    ),
    "an adapter's source is": (
        "spec.engine.loraAdapters[0].source",
        [
            {"engine": {"loraAdapters": [{"name": "a", "source": source}]}}
            for source in ("org/name", "s3://a/b", "hf://a", "pvc://A")
        ],
    ),
    "spec.engine.loraAdapters: requests": (
        "spec.engine.loraAdapters",
        [{"engine": {"loraAdapters": [{"name": "a", "source": "hf://a/b"}] * 2}}],
    ),
    "spec.engine.quantization goes": (
        "spec.engine.dtype",
        [{"engine": {"quantization": "awq", "dtype": dtype}} for dtype in ("float", "float32")],
    ),
    "spec.engine.quantization is": (
        "spec.engine.quantization",
        [{"engine": {"quantization": "AWQ 4bit"}}],
    ),
    "spec.triton.image is named": (
        "spec.triton.image",
        [{"triton": {"image": "docker://a/b:1"}}],
    ),
    "spec.triton.image: a repository": (
        "spec.triton.image",
        [{"triton": {"image": image}} for image in ("a/B:1", "Reg.io/a@sha256:b")],
    ),
    "spec.triton.vllmVersion tells": (
        "spec.triton.vllmVersion",
        [{"triton": {"vllmVersion": "0.11.0"}}],
    ),
    "spec.triton.vllmVersion is": (
        "spec.triton.vllmVersion",
        [{"triton": {"image": "a/b:1", "vllmVersion": each}} for each in ("v0.11", "0.11rc1", "1")],
    ),
    "spec.triton.image holds": ("spec.triton.image", [{"triton": {"image": "a b"}}]),
    "an environment variable has": (
        "spec.triton.env[0]",
        [
            {"triton": {"env": [{"name": "A"}]}},
            {"triton": {"env": [{"name": "A", "value": "", "secretKeyRef": {"name": "s"}}]}},
        ],
    ),
    "a variable of this name": (
        "spec.triton.env[0].value",
        [{"triton": {"env": [{"name": "MY_API_KEY", "value": "x"}]}}],
    ),
    "this variable is": (
        "spec.triton.env[0].name",
        [{"triton": {"env": [{"name": "HF_TOKEN", "secretKeyRef": {"name": "s"}}]}}],
    ),
    "an environment variable's name": (
        "spec.triton.env[0].name",
        [{"triton": {"env": [{"name": name, "value": "x"}]}} for name in ("1A", "A-B", "A=B")],
    ),
    "write a Kubernetes quantity": (
        "spec.resources.memory",
        [{"resources": {"gpus": 0, "memory": amount}} for amount in ("4 GB", "-1Gi", "4gb")],
    ),
    "spec.resources.gpuResourceName is": (
        "spec.resources.gpuResourceName",
        [{"resources": {"gpuResourceName": "gpu"}}],
    ),
    "spec.resources.gpuProduct is": (
        "spec.resources.gpuProduct",
        [{"resources": {"gpuProduct": name}} for name in ("-L4", "L4/A10", " L4", "")],
    ),
    "spec.resources.memory must": (
        "spec.resources.memory",
        [{"resources": {"gpus": 1, "memory": "1Gi"}}],
    ),
    "with spec.resources.gpus 0 spec": (
        "spec.resources.memory",
        [{"resources": {"gpus": 0, "memory": "4Gi"}, "engine": {"cpuKvCacheSpace": 4}}],
    ),
    "a toleration with operator": (
        "spec.scheduling.tolerations[0].value",
        [{"scheduling": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}}],
    ),
    "a toleration without": (
        "spec.scheduling.tolerations[0].key",
        [{"scheduling": {"tolerations": [{"value": "b"}]}}],
    ),
    "tolerationSeconds goes": (
        "spec.scheduling.tolerations[0].tolerationSeconds",
        [{"scheduling": {"tolerations": [{"key": "a", "tolerationSeconds": 5}]}}],
    ),
    "spec.scheduling.nodeSelector: a key": (
        "spec.scheduling.nodeSelector",
        [{"scheduling": {"nodeSelector": {key: "x"}}} for key in ("a b", "/a", "UP/a", "a/b/c")],
    ),
    "spec.podTemplate.metadata: labels": (
        "spec.podTemplate.metadata",
        [
            {"podTemplate": {"metadata": {kind: {key: "x"}}}}
            for kind in ("labels", "annotations")
            for key in ("app.kubernetes.io/name", "qwen-operator.dev/uid")
        ],
    ),
    "spec.autoscaling.minReplicas may": (
        "spec.autoscaling.minReplicas",
        [{"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}],
    ),
    "a HorizontalPodAutoscaler needs": (
        "spec.autoscaling.minReplicas",
        [{"autoscaling": {"minReplicas": 0, "maxReplicas": 2, "metrics": [{}]}}],
    ),
    "spec.replicas is where": (
        "spec.replicas",
        [{"replicas": 9, "autoscaling": {"maxReplicas": 2}}],
    ),
    "spec.service.loadBalancerClass goes": (
        "spec.service.loadBalancerClass",
        [{"service": {"loadBalancerClass": "a/b"}}],
    ),
    "spec.service.loadBalancerClass is": (
        "spec.service.loadBalancerClass",
        [{"service": {"type": "LoadBalancer", "loadBalancerClass": "a b"}}],
    ),
    "spec.service.annotations: those": (
        "spec.service.annotations",
        [{"service": {"annotations": {"qwen-operator.dev/resource": "x"}}}],
    ),
}
"""Beginning of a rule's message → the field that is named, and specs that break just this rule."""

CASES = [(words, *case) for words, case in RULES.items()]

SCHEMAS: list[tuple[str, Json]] = [
    ("spec.model.source", {"model": {}}),
    ("spec.replicas", {"replicas": "two"}),
    ("spec.replicas", {"replicas": -1}),
    ("spec.replicas", {"replicas": 1001}),
    ("spec.engine.dtype", {"engine": {"dtype": "int4"}}),
    ("spec.engine.gpuMemoryUtilization", {"engine": {"gpuMemoryUtilization": 1.5}}),
    ("spec.engine.enforceEager", {"engine": {"enforceEager": "yes"}}),
    ("spec.triton.imagePullSecrets[0]", {"triton": {"imagePullSecrets": ["Not Ok"]}}),
    ("spec.triton.loadTimeoutSeconds", {"triton": {"loadTimeoutSeconds": 1}}),
    ("spec.triton.instances", {"triton": {"instances": 9}}),
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
    # What cannot change is tried by changing it, below.
    messages = {
        rule["message"] for _, rule in rules(SCHEMA, "spec") if "oldSelf" not in rule["rule"]
    }
    for words in RULES:
        assert len([each for each in messages if each.startswith(words)]) == 1, words
    assert len(messages) == len(RULES)


def test_the_served_name_cannot_change_and_the_refusal_says_what_to_do(
    api: Api, namespace: str
) -> None:
    api.create(QWENS, namespace, resource("named", model={**HF, "servedName": "one"}))
    for name in ("two", None):
        with pytest.raises(Problem, match="create a second resource") as found:
            api.merge(QWENS, namespace, "named", {"spec": {"model": {"servedName": name}}})
        assert found.value.fields == {"spec.model.servedName"}
    api.delete(QWENS, namespace, "named")


def test_a_load_balancer_keeps_its_class_while_it_is_one(api: Api, namespace: str) -> None:
    service = {"type": "LoadBalancer", "loadBalancerClass": "a/b"}
    api.create(QWENS, namespace, resource("balanced", service=service))
    for other in ("c/d", None):
        change: Json = {"spec": {"service": {"loadBalancerClass": other}}}
        with pytest.raises(Problem, match="ClusterIP first, then to LoadBalancer") as found:
            api.merge(QWENS, namespace, "balanced", change)
        assert found.value.fields == {"spec.service.loadBalancerClass"}
    change = {"spec": {"service": {"type": "ClusterIP", "loadBalancerClass": None}}}
    api.merge(QWENS, namespace, "balanced", change)
    change = {"spec": {"service": {"type": "LoadBalancer", "loadBalancerClass": "c/d"}}}
    api.merge(QWENS, namespace, "balanced", change)
    api.delete(QWENS, namespace, "balanced")


def test_a_refusal_tells_what_was_given(api: Api, namespace: str) -> None:
    said = str(refusal(api, namespace, {"model": {"source": "Qwen/Qwen3-8B"}}))
    assert "given: Qwen/Qwen3-8B" in said


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
