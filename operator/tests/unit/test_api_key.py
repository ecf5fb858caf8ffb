"""The OpenAI endpoint's key is a reference everywhere but in the pod's environment."""

import json

from qwen_operator.api.resource import read_resource
from qwen_operator.desired.children import desired
from qwen_operator.settings import Settings
from tests.unit.stand_ins import BACKEND, Json

SECRET = {"name": "door", "key": "api-key"}


def children(chat: Json) -> dict[str, Json]:
    metadata = {"namespace": "n", "name": "q", "uid": "u", "generation": 1}
    body = {"metadata": metadata, "spec": {"model": {"source": "hf://a/b"}, "chat": chat}}
    made = desired(read_resource(body), Settings(), BACKEND).children
    return {each["kind"]: each for each in made}


def test_the_pod_takes_the_key_from_the_secret_and_no_other_child_names_it() -> None:
    made = children({"apiKeySecretRef": SECRET})
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    found = [each for each in container["env"] if each["name"] == "QWEN_OPENAI_API_KEY"]
    assert found == [
        {"name": "QWEN_OPENAI_API_KEY", "valueFrom": {"secretKeyRef": SECRET}},
    ]
    rest = [each for kind, each in made.items() if kind != "Deployment"]
    assert "api-key" not in json.dumps(rest)


def test_the_service_offers_the_endpoint_only_behind_a_key() -> None:
    def ports(chat: Json) -> dict[str, int]:
        return {each["name"]: each["port"] for each in children(chat)["Service"]["spec"]["ports"]}

    assert "openai" not in ports({})
    assert ports({"apiKeySecretRef": SECRET})["openai"] == 9000


def test_the_backend_looks_where_the_operator_puts_it() -> None:
    from qwen_operator import naming  # noqa: PLC0415
    from qwen_triton import api_key  # noqa: PLC0415  neither package imports the other

    assert naming.API_KEY_VARIABLE == api_key.VARIABLE
