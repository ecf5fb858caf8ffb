"""What the servers of these tests are started with."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Adapters beside the model, and what stands for the folder of both in parameters.
ADAPTERS = ("poet", "clerk")
WEIGHTS = "$WEIGHTS"


@dataclass(frozen=True)
class Recipe:
    """One server.

    Attributes:
        engine: engine arguments beside the usual ones; None takes one away.
        parameters: parameters of config.pbtxt; $WEIGHTS in them is the folder of the weights.
        instances: how many instances of the model share the engine.
        key: the API key that its environment holds.
        talking: the model that was trained to talk, instead of random weights with adapters.
        environment: variables beside the usual ones.
        step_seconds: the pause that the engine makes before each step (pacing.py).
    """

    engine: Mapping[str, object] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    instances: int = 1
    key: str | None = None
    talking: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    step_seconds: float = 0.0


def takes(argument: str) -> bool:
    """Whether the vLLM in place of the image's has an engine argument; the image's has it."""
    venv = os.environ.get("QWEN_TRITON_VENV")
    files = Path(venv).glob("lib/python3*/site-packages/vllm/engine/arg_utils.py") if venv else ()
    return all(argument in file.read_text() for file in files)


_PACED: dict[str, object] = {"max_model_len": 2048}
UNHURRIED = Recipe(engine=_PACED, step_seconds=0.02)

SHARED = {
    "triton": Recipe(),
    "talking": Recipe(
        parameters={"tool_call_parser": "hermes", "reasoning_parser": "qwen3"}, talking=True
    ),
    "paced": Recipe(engine=_PACED, parameters={"engine_silence_seconds": "5"}, step_seconds=0.02),
    "furnished": Recipe(
        engine={
            "enable_lora": True,
            "max_loras": len(ADAPTERS),
            "max_lora_rank": 8,
            "max_num_seqs": 2,
            "max_model_len": 2048,
            "scheduling_policy": "priority",
            # Before 0.10 vLLM logs requests unless it is told not to.
            "enable_log_requests": True if takes("enable_log_requests") else None,
        },
        parameters={
            "lora_adapters": json.dumps(
                [{"name": name, "path": f"{WEIGHTS}/{name}"} for name in ADAPTERS]
            ),
            "max_queued_requests": "2",
            "tool_call_parser": "hermes",
            # Of those that find their marks in the text: the tiny model has no tokens for thoughts.
            "reasoning_parser": "granite",
        },
        key=secrets.token_hex(16),
        step_seconds=0.02,
    ),
}
"""Fixture of conftest.py → its server."""
