"""Writes the tiny Qwen as a Hugging Face model folder."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.numpy import save_file

from e2e.tiny_qwen.architecture import Architecture, config, generation_config
from e2e.tiny_qwen.vocabulary import (
    END_OF_TEXT,
    END_OF_TURN,
    START_OF_TURN,
    tokenizer_config,
    train,
)
from e2e.tiny_qwen.weights import random_weights

_CORPUS = Path(__file__).with_name("corpus.txt")


def write_model(out: Path, seed: int) -> list[Path]:
    """Write the model folder; the same seed writes the same bytes.

    Args:
        out: folder to write to; made when it is not there.
        seed: seed of the weights.

    Returns:
        The files written.
    """
    words = train(_CORPUS.read_text(encoding="utf-8").splitlines())
    shape = Architecture(vocab_size=words.size)
    end_of_text, end_of_turn = words.id_of(END_OF_TEXT), words.id_of(END_OF_TURN)
    weights = random_weights(
        shape,
        seed,
        end_of_turn=end_of_turn,
        suppressed=[*words.unreadable(), end_of_text, words.id_of(START_OF_TURN)],
    )
    out.mkdir(parents=True, exist_ok=True)
    described = {
        "config.json": config(shape, end_of_text=end_of_text, end_of_turn=end_of_turn),
        "generation_config.json": generation_config(
            end_of_text=end_of_text, end_of_turn=end_of_turn
        ),
        "tokenizer_config.json": tokenizer_config(shape.positions),
    }
    for name, content in described.items():
        (out / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (out / "tokenizer.json").write_text(
        words.tokenizer.to_str(pretty=True) + "\n", encoding="utf-8"
    )
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    # safetensors writes for the owner alone; a model server is somebody else.
    (out / "model.safetensors").chmod(0o644)
    return sorted(out / name for name in (*described, "tokenizer.json", "model.safetensors"))
