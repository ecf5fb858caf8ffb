"""What should exist: deterministic, and every text arrives in the pod as it was written."""

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from qwen_operator import naming
from qwen_operator.api.resource import read_resource
from qwen_operator.desired.children import Desired, desired, rendered, with_applied_hash
from qwen_operator.desired.repository import backend_files, model_location, text_literal
from qwen_operator.settings import Settings
from tests.unit.stand_ins import BACKEND, SOURCES, Json, resource_body

RECIPE = Path(__file__).parents[3] / "examples" / "qwen1.5-1.8b-chat-gpu.yaml"
TRICKY = ['"', "\\", "\n", "\r\n", "}", "{", "'", "\x00", "\x7f", "你好", "🙂", "\\n", '"}\nx: "']
TEXTS = st.text(max_size=60) | st.lists(st.sampled_from(TRICKY), max_size=6).map("".join)


def children_of(body: Json) -> Desired:
    return desired(read_resource(body), Settings(), BACKEND)


def files_of(body: Json) -> dict[str, str]:
    data: dict[str, str] = children_of(body).children[0]["data"]
    return data


def unquoted(literal: str) -> bytes:
    """The bytes of a string in protobuf's text format, read by its own rules."""
    assert literal[0] == literal[-1] == '"'
    assert re.fullmatch(r'(?:[^"\\\n]|\\.)*', literal[1:-1]), "the literal ends too early"
    simple = {"n": b"\n", "r": b"\r", "t": b"\t", '"': b'"', "'": b"'", "\\": b"\\"}

    def read(match: re.Match[str]) -> str:
        escaped = match.group(1)
        value = bytes([int(escaped, 8)]) if escaped.isdigit() else simple[escaped]
        return value.decode("latin-1")

    assert literal.isascii()
    return re.sub(r"\\([0-7]{1,3}|.)", read, literal[1:-1]).encode("latin-1")


def parameters(config: str) -> dict[str, bytes]:
    """Every parameter of a config.pbtxt."""
    line = re.compile(r'parameters \{ key: ("[^"]*") value: \{ string_value: (".*") \} \}')
    found = {}
    for each in config.splitlines():
        if each.startswith("parameters"):
            match = line.fullmatch(each)
            assert match is not None, each
            found[unquoted(match[1]).decode()] = unquoted(match[2])
    return found


@given(TEXTS)
def test_a_quoted_text_is_read_back_byte_for_byte(text: str) -> None:
    assert unquoted(text_literal(text)) == text.encode()


@given(prompt=TEXTS, template=TEXTS.filter(bool))
def test_prompt_and_template_reach_triton_unchanged(prompt: str, template: str) -> None:
    body = resource_body(chat={"systemPrompt": prompt, "template": template})
    found = parameters(files_of(body)["config.pbtxt"])
    assert found["system_prompt"] == prompt.encode()
    assert found["chat_template"] == template.encode()


def test_a_text_cannot_add_fields_to_the_model_configuration() -> None:
    attack = '" } }\nbackend: "other"\nparameters { key: "x" value: { string_value: "'
    config = files_of(resource_body(chat={"systemPrompt": attack}))["config.pbtxt"]
    assert [line for line in config.splitlines() if line.startswith("backend")] == [
        'backend: "python"'
    ]
    assert set(parameters(config)) == {
        "config_hash",
        "drain_seconds",
        "health_port",
        "system_prompt",
    }


JSON_LEAVES = st.none() | st.booleans() | st.integers() | TEXTS


SOME_ARGUMENTS = ("seed", "block_size", "load_format", "max_num_batched_tokens", "hf_overrides")


@given(st.dictionaries(st.sampled_from(SOME_ARGUMENTS), JSON_LEAVES, max_size=4))
def test_extra_arguments_reach_model_json_as_they_are(extra: Json) -> None:
    resource = read_resource(resource_body(engine={"extraArgs": extra}))
    data = rendered(resource, Settings(), BACKEND).children[0]["data"]
    arguments = json.loads(data["model.json"])
    assert {name: arguments[name] for name in extra} == extra


@given(
    prompt=TEXTS,
    replicas=st.integers(0, 1000),
    labels=st.dictionaries(st.text(max_size=9), TEXTS, max_size=3),
)
def test_the_same_resource_gives_the_same_bytes(
    prompt: str, replicas: int, labels: dict[str, str]
) -> None:
    def rendered(order: int) -> str:
        selector = dict(sorted(labels.items(), reverse=bool(order)))
        body = resource_body(
            chat={"systemPrompt": prompt},
            replicas=replicas,
            scheduling={"nodeSelector": {k: v[:63] for k, v in selector.items()}},
        )
        backend = backend_files(dict(sorted(SOURCES.items(), reverse=bool(order))))
        made = desired(read_resource(body), Settings(), backend)
        return made.config_hash + json.dumps(
            [with_applied_hash(each) for each in made.children], sort_keys=True
        )

    assert rendered(0) == rendered(1)


def test_the_recipe_gets_exactly_the_recipes_arguments() -> None:
    body = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    body["metadata"] |= {"namespace": "models", "uid": "u"}
    assert json.loads(files_of(body)["model.json"]) == {
        "model": "Qwen/Qwen1.5-1.8B-Chat",
        "tokenizer": "Qwen/Qwen1.5-1.8B-Chat",
        "dtype": "half",
        "gpu_memory_utilization": 0.7,
        "enforce_eager": True,
        "tensor_parallel_size": 1,
    }


def test_names_that_refer_to_each_other_agree() -> None:
    wanted = children_of(resource_body(model={"source": "pvc://claim/a/b", "servedName": "m-1.5"}))
    assert wanted.backend is not None
    config_map, service, deployment = wanted.children
    template = deployment["spec"]["template"]
    pod = template["spec"]
    container = pod["containers"][0]
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    ports = {each["name"] for each in container["ports"]}
    assert {each["targetPort"] for each in service["spec"]["ports"]} <= ports
    probes = [container[f"{each}Probe"] for each in ("startup", "readiness", "liveness")]
    assert {each["httpGet"]["port"] for each in probes} <= ports
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == set(volumes)
    own, shared = (each["configMap"] for each in volumes["repository"]["projected"]["sources"])
    for source, files in ((own, config_map), (shared, wanted.backend)):
        assert source["name"] == files["metadata"]["name"]
        assert {each["key"] for each in source["items"]} == set(files["data"])
    assert "--load-model=m-1.5" in container["args"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert mounts["repository"] == "/models/m-1.5"
    assert model_location("pvc://claim/a/b") == f"{mounts['weights']}/a/b"
    assert model_location("pvc://claim") == mounts["weights"]


CHANGES = [
    {"engine": {"maxModelLen": 7}},
    {"chat": {"systemPrompt": "other"}},
    {"model": {"source": "hf://a/b"}},
    {"model": {"source": "hf://Qwen/Qwen1.5-1.8B-Chat", "servedName": "x"}},
    {"triton": {"exitTimeoutSeconds": 31}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_the_backend_reads_changes_the_hash(change: Json) -> None:
    assert (
        children_of(resource_body(**change)).config_hash != children_of(resource_body()).config_hash
    )


KEPT = [{"replicas": 5}, {"suspend": True}, {"service": {"type": "NodePort"}}]


@pytest.mark.parametrize("change", KEPT, ids=str)
def test_what_pods_do_not_read_leaves_their_template_alone(change: Json) -> None:
    before, after = (children_of(resource_body(**each)).children for each in ({}, change))
    assert before[2]["spec"]["template"] == after[2]["spec"]["template"]
    assert before[0] == after[0]


def test_a_new_backend_changes_the_hash() -> None:
    resource = read_resource(resource_body())
    newer = backend_files({**SOURCES, "wire.py": "# newer\n"})
    hashes = {desired(resource, Settings(), each).config_hash for each in (BACKEND, newer)}
    assert len(hashes) == 2


def test_a_token_is_referred_to_and_never_copied() -> None:
    model = {
        "source": "hf://a/b",
        "tokenSecretRef": {"name": "hub", "key": "hf-token"},
    }
    made = children_of(resource_body(model=model))
    container = made.children[2]["spec"]["template"]["spec"]["containers"][0]
    token = next(each for each in container["env"] if each["name"] == "HF_TOKEN")
    assert token == {
        "name": "HF_TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "hub", "key": "hf-token"}},
    }
    assert "hf-token" not in json.dumps(made.children[0])


def test_every_child_is_owned_and_can_be_found() -> None:
    for child in children_of(resource_body()).children:
        metadata = child["metadata"]
        (owner,) = metadata["ownerReferences"]
        assert owner["controller"] is True
        assert owner["blockOwnerDeletion"] is False, "would need a permission on finalizers"
        assert metadata["labels"][naming.MANAGED_BY_LABEL] == naming.MANAGED_BY
        assert metadata["annotations"][naming.OWNER_ANNOTATION] == "qwen"


def test_pods_meet_the_restricted_level_of_pod_security() -> None:
    pod = children_of(resource_body()).children[2]["spec"]["template"]["spec"]
    container = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False


def test_cpu_pods_ask_for_no_gpu_and_run_the_cpu_image() -> None:
    made = children_of(resource_body(resources={"gpus": 0, "memory": "4Gi"}))
    container = made.children[2]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {"requests": {"memory": "4Gi"}, "limits": {"memory": "4Gi"}}
    assert container["image"] == made.image == Settings().default_cpu_image
    assert {"name": "VLLM_CPU_KVCACHE_SPACE", "value": "1"} in container["env"]


def test_the_applied_hash_tells_of_a_removed_field() -> None:
    with_label = {"kind": "X", "metadata": {"labels": {"a": "1"}, "annotations": {"b": "2"}}}
    without = {"kind": "X", "metadata": {"labels": {}, "annotations": {"b": "2"}}}
    hashes = {
        with_applied_hash(each)["metadata"]["annotations"][naming.APPLIED_HASH_ANNOTATION]
        for each in (with_label, without)
    }
    assert len(hashes) == 2
    assert with_applied_hash(without)["metadata"]["annotations"]["b"] == "2"
