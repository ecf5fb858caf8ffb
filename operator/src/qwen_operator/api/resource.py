"""Reading a QwenDeployment: from the API server's JSON to typed values, with errors to act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.errors import InvalidSpec
from qwen_operator.naming import API_KEY_VARIABLE, Key, child_name


@dataclass(frozen=True, slots=True)
class Resource:
    """One QwenDeployment as the operator works with it."""

    key: Key
    uid: str
    generation: int
    spec: Spec

    @property
    def child(self) -> str:
        """Name of the Deployment and the Service."""
        return child_name(self.key.name)

    @property
    def served_name(self) -> str:
        """The model's name in Triton's URLs."""
        return self.spec.model.served_name or self.key.name


def _place(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in location)


def _refusals(spec: Spec) -> list[str]:
    found = []
    for number, variable in enumerate(spec.triton.env):
        if variable.name == API_KEY_VARIABLE:
            found.append(f"spec.triton.env[{number}].name: set spec.chat.apiKeySecretRef instead")
    return found + _adapter_refusals(spec)


def _adapter_refusals(spec: Spec) -> list[str]:
    """Both doors find a model by its name: an adapter's must be its own."""
    found = []
    taken = {spec.model.served_name}
    for number, adapter in enumerate(spec.engine.lora_adapters):
        if adapter.name in taken:
            found.append(
                f"spec.engine.loraAdapters[{number}].name: {adapter.name!r} is the name of the"
                " model or of another adapter; choose another"
            )
        taken.add(adapter.name)
    return found


def read_resource(body: Mapping[str, Any]) -> Resource:
    """Type one QwenDeployment.

    Raises:
        InvalidSpec: names each field that cannot be, what was given and what is allowed. The API
            server's schema refuses nearly all of it before; this also guards against a resource
            stored under an older schema.
    """
    metadata = body["metadata"]
    try:
        spec = Spec.model_validate(body.get("spec") or {})
    except ValidationError as problem:
        lines = [
            f"spec{_place(each['loc'])}: {each['msg']}, given {each['input']!r:.80}"
            for each in problem.errors(include_url=False)
        ]
        raise InvalidSpec("; ".join(lines)) from problem
    if refused := _refusals(spec):
        raise InvalidSpec("; ".join(refused))
    return Resource(
        key=Key(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        spec=spec,
    )
