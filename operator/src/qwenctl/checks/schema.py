"""The resource's schema, as the API server has it."""

from collections.abc import Mapping
from typing import Any, Final

from qwen_operator.api.schema import definition

SCHEMA: Final[Mapping[str, Any]] = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC: Final[Mapping[str, Any]] = SCHEMA["properties"]["spec"]
