"""Engine arguments that spec.engine.extraArgs may not hold: ours, and those that open the pod."""

import re

import pytest

from qwen_operator.api.engine import Engine
from qwen_operator.api.resource import read_resource
from qwen_operator.api.schema import definition, fields
from qwen_operator.compat.refusals import REFUSED, RESERVED
from qwen_operator.desired.children import rendered
from qwen_operator.errors import InvalidSpec
from qwen_operator.settings import Settings
from tests.unit.stand_ins import BACKEND, Json, resource_body


def allowed(body: Json, settings: Settings | None = None) -> None:
    rendered(read_resource(body), settings or Settings(), BACKEND)


@pytest.mark.parametrize(("name", "field"), RESERVED.items())
def test_an_argument_with_a_field_of_its_own_is_sent_there(name: str, field: str) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(field)):
        allowed(resource_body(engine={"extraArgs": {name: 1}}))


def test_the_fields_that_arguments_are_sent_to_exist() -> None:
    schema = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(RESERVED.values()) <= {path for path, _ in fields(schema, "spec")}


def test_every_engine_field_is_reserved_among_extra_arguments() -> None:
    own = set(Engine.model_fields) - {"extra_args", "cpu_kv_cache_space"}
    assert own <= RESERVED.keys()


NO_NAMES = ("max-num-seqs", "--port", "a b", "")


@pytest.mark.parametrize("name", [*REFUSED, "trust_remote_code", *NO_NAMES])
def test_arguments_that_open_the_pod_or_are_no_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidSpec, match="extraArgs"):
        allowed(resource_body(engine={"extraArgs": {name: True}}))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("disable_log_stats", False, True),
        ("skip_tokenizer_init", False, True),
        ("tokens_only", False, True),
        ("distributed_executor_backend", "mp", "my.module.Executor"),
        ("runner", "generate", "pooling"),
        ("task", "generate", "embed"),
        ("convert", "none", "embed"),
        ("kv_transfer_config", {"kv_role": "kv_both"}, {"kv_connector_module_path": "my.module"}),
        ("ec_transfer_config", {}, {"ec_connector_module_path": "my.module"}),
        ("compilation_config", {"backend": "inductor"}, {"backend": "my.module.backend"}),
        ("compilation_config", {"level": 3}, {"inductor_passes": {"a": "my.module.f"}}),
    ],
)
def test_some_values_open_the_pod_or_cannot_be_served(name: str, good: object, bad: object) -> None:
    allowed(resource_body(engine={"extraArgs": {name: good}}))
    with pytest.raises(InvalidSpec, match=rf"spec\.engine\.extraArgs\.{name}: .*refused, since"):
        allowed(resource_body(engine={"extraArgs": {name: bad}}))


def test_all_that_is_wrong_is_told_at_once() -> None:
    arguments = {"enable_lora": True, "trust_remote_code": True, "worker_cls": "a.b", "seed": 1}
    arguments |= {"max_num_batched_token": 1, "block_size": "32"}
    with pytest.raises(InvalidSpec) as refused:
        allowed(resource_body(engine={"extraArgs": arguments}))
    assert "enable_lora: set spec.engine.loraAdapters instead" in str(refused.value)
    assert "max_num_batched_token: vLLM 0.27.1" in str(refused.value)
    assert "block_size: vLLM 0.27.1" in str(refused.value)
    assert str(refused.value).count("spec.engine.extraArgs.") == 5


def test_code_of_the_repository_runs_only_where_the_administrator_says_so() -> None:
    body = resource_body(engine={"extraArgs": {"trust_remote_code": True}})
    with pytest.raises(InvalidSpec, match="an administrator has to allow"):
        allowed(body)
    allowed(body, Settings(allow_trust_remote_code=True))
    allowed(resource_body(engine={"extraArgs": {"trust_remote_code": False}}))
