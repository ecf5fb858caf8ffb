from __future__ import annotations

import json
from typing import TYPE_CHECKING

from safetensors.numpy import load_file

from e2e.tiny_qwen.adapter import RANK, write_adapter

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_seed_writes_the_same_bytes_and_another_others(tmp_path: Path) -> None:
    one, same, other = (
        [path.read_bytes() for path in write_adapter(tmp_path / name, seed)]
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one == same
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_every_matrix_has_its_partner_and_the_rank_that_the_config_says(tmp_path: Path) -> None:
    config, tensors = write_adapter(tmp_path, seed=0)
    said = json.loads(config.read_text(encoding="utf-8"))
    weights = load_file(tensors)
    assert said["r"] == RANK
    assert {name.split(".")[-3] for name in weights} == set(said["target_modules"])
    for name, weight in weights.items():
        at = 0 if ".lora_A." in name else 1
        assert weight.shape[at] == RANK
        partner = name.replace(".lora_A.", ".lora_B.")
        assert partner in weights
