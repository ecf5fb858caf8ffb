"""What the operator renders is what the backend's own tests were run with."""

import re
from pathlib import Path

from e2e.triton.flags import FLAGS
from qwen_operator.api.resource import Resource, read_resource
from qwen_operator.desired.pod import server_arguments
from qwen_operator.desired.repository import config_pbtxt

REFERENCE = Path(__file__).parents[1] / "backend" / "config.pbtxt"


def tensors(text: str) -> list[str]:
    """Every tensor's line, in order, without comments and white space."""
    lines = (re.sub(r"\s|,$", "", line.partition("#")[0]) for line in text.splitlines())
    return [line.rstrip(",") for line in lines if "data_type" in line or line.endswith("put[")]


def resource() -> Resource:
    metadata = {"namespace": "n", "name": "q", "uid": "u"}
    return read_resource({"metadata": metadata, "spec": {"model": {"source": "hf://a/b"}}})


def test_inputs_and_outputs_are_those_of_the_backends_reference() -> None:
    reference = tensors(REFERENCE.read_text(encoding="utf-8"))
    assert len(reference) == 2 + 15 + 9
    assert tensors(config_pbtxt(resource(), {})) == reference


def test_the_server_is_started_as_in_the_backends_own_tests() -> None:
    assert set(FLAGS) <= set(server_arguments(resource()))
