"""A LoRA adapter for the tiny Qwen, as PEFT saves one: random, and strong enough to be noticed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file

from e2e.tiny_qwen.architecture import Architecture

if TYPE_CHECKING:
    from pathlib import Path

RANK = 8
_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")
# Random matrices of this size move the tiny model's answers without making them all alike.
_SPREAD = 0.3


def write_adapter(out: Path, seed: int) -> list[Path]:
    """Write the adapter's folder; the same seed writes the same bytes.

    Args:
        out: folder to write to; made when it is not there.
        seed: seed of the weights.

    Returns:
        The files written.
    """
    shape, random = Architecture(vocab_size=0), np.random.default_rng(seed)
    weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    for name, size in shape.shapes().items():
        module = name.removesuffix(".weight")
        if name.endswith(".bias") or module.rpartition(".")[2] not in _TARGETS:
            continue
        for matrix, dims in (("lora_A", (RANK, size[1])), ("lora_B", (size[0], RANK))):
            key = f"base_model.model.{module}.{matrix}.weight"
            weights[key] = random.normal(0.0, _SPREAD, dims).astype(np.float32)
    described = {
        "base_model_name_or_path": "tiny-qwen",
        "bias": "none",
        "lora_alpha": RANK,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": RANK,
        "target_modules": list(_TARGETS),
        "task_type": "CAUSAL_LM",
    }
    out.mkdir(parents=True, exist_ok=True)
    config, tensors = out / "adapter_config.json", out / "adapter_model.safetensors"
    config.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    save_file(weights, tensors, metadata={"format": "pt"})
    # safetensors writes for the owner alone; a model server is somebody else.
    tensors.chmod(0o644)
    return [config, tensors]
