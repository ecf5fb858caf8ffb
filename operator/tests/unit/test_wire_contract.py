"""What the operator renders is what the backend's own tests were run with."""

import re
from pathlib import Path

from qwen_operator.api.resource import read_resource
from qwen_operator.desired.repository import config_pbtxt

REFERENCE = Path(__file__).parents[1] / "backend" / "config.pbtxt"


def tensors(text: str) -> list[str]:
    """Every tensor's line, in order, without comments and white space."""
    lines = (re.sub(r"\s|,$", "", line.partition("#")[0]) for line in text.splitlines())
    return [line.rstrip(",") for line in lines if "data_type" in line or line.endswith("put[")]


def test_inputs_and_outputs_are_those_of_the_backends_reference() -> None:
    metadata = {"namespace": "n", "name": "q", "uid": "u"}
    resource = read_resource({"metadata": metadata, "spec": {"model": {"source": "hf://a/b"}}})
    reference = tensors(REFERENCE.read_text(encoding="utf-8"))
    assert len(reference) == 2 + 11 + 7
    assert tensors(config_pbtxt(resource, {})) == reference
