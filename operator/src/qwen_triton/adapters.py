"""LoRA adapters: which there are, and which one a request wants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_triton.options import LORA_NAME
from qwen_triton.refusals import AsNvidiaSays

if TYPE_CHECKING:
    from collections.abc import Sequence

# NVIDIA's: beside model.json, an object of name to path.
NVIDIAS_FILE = "multi_lora.json"
PARAMETER = "lora_adapters"


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter.

    Attributes:
        name: what clients call it, on both doors.
        path: a folder, or a name on the Hugging Face hub.
        number: vLLM's for it, from 1; the OpenAI endpoint counts in the same order.
    """

    name: str
    path: str
    number: int


def read_adapters(parameter: str, file: str) -> tuple[Adapter, ...]:
    """The adapters of a repository entry.

    Args:
        parameter: a JSON list of {"name", "path"}, or nothing.
        file: text of NVIDIA's file, or nothing; the parameter wins.

    Raises:
        ValueError: with what is wrong.
    """
    try:
        given = json.loads(parameter or file or "[]")
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if isinstance(given, dict):
        given = [{"name": name, "path": path} for name, path in given.items()]
    if not isinstance(given, list):
        raise TypeError('must be a list of {"name", "path"}')
    found: list[Adapter] = []
    for number, entry in enumerate(given, start=1):
        name, path = (
            (entry.get("name"), entry.get("path")) if isinstance(entry, dict) else (None, None)
        )
        if not (isinstance(name, str) and name and isinstance(path, str) and path):
            raise ValueError(f'entry {number} must be {{"name", "path"}}, two texts')
        if name in {each.name for each in found}:
            raise ValueError(f"two adapters are named {name!r}")
        found.append(Adapter(name, path, number))
    return tuple(found)


def adapter_for(name: str | None, adapters: Sequence[Adapter]) -> Adapter | None:
    """The adapter that a request asked for by name; None is the model itself.

    Raises:
        AsNvidiaSays: when there is none of that name.
    """
    if name is None:
        return None
    if not adapters:
        raise AsNvidiaSays(LORA_NAME, "LoRA feature is not enabled.")
    for adapter in adapters:
        if adapter.name == name:
            return adapter
    names = [adapter.name for adapter in adapters]
    raise AsNvidiaSays(
        LORA_NAME, f"LoRA {name[:100]} is not supported, we currently support {names}"
    )
