"""Writes the tiny Qwen that talks as a Hugging Face model folder, with the sums of its files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from safetensors.numpy import save_file

from e2e.tiny_qwen.architecture import Architecture, config
from e2e.tiny_qwen.school.answers import EXPECTED
from e2e.tiny_qwen.school.lessons import endless
from e2e.tiny_qwen.school.template import CHAT_TEMPLATE, rendered
from e2e.tiny_qwen.vocabulary import (
    END_OF_TEXT,
    END_OF_TURN,
    SPECIAL_TOKENS,
    Vocabulary,
    tokenizer_config,
    train,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

TALKING = Path(__file__).resolve().parents[1] / "talking"
SUMS = "SHA256SUMS"
MARKUP = (
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
)
_VOCABULARY = 1024
SHAPE = Architecture(
    vocab_size=_VOCABULARY,
    hidden=128,
    intermediate=384,
    layers=4,
    heads=2,
    kv_heads=1,
    rope_theta=10000.0,
)
_READ = 3000


def vocabulary() -> Vocabulary:
    """The tokenizer, trained on a sample of the dialogues."""
    drawn = endless(Random(0))
    texts = (
        text
        for dialogue in (*EXPECTED.values(), *(next(drawn) for _ in range(_READ)))
        for text in re.split(r"<\|\w+\|>|</?\w+>|\n", rendered(dialogue) + dialogue.answer)
    )
    return train(texts, base=_VOCABULARY - len(SPECIAL_TOKENS) - len(MARKUP), markup=MARKUP)


def write_talking(
    out: Path, words: Vocabulary, weights: Mapping[str, npt.NDArray[np.float16]]
) -> None:
    """Write the model folder and its SHA256SUMS; `out` is made when it is not there."""
    end_of_text, end_of_turn = words.id_of(END_OF_TEXT), words.id_of(END_OF_TURN)
    out.mkdir(parents=True, exist_ok=True)
    described = {
        "config.json": config(
            SHAPE, end_of_text=end_of_text, end_of_turn=end_of_turn, dtype="float16"
        ),
        "generation_config.json": {
            "bos_token_id": end_of_text,
            "do_sample": True,
            "eos_token_id": [end_of_turn, end_of_text],
            "pad_token_id": end_of_text,
            "temperature": 0.7,
            "top_k": 20,
            "top_p": 0.8,
        },
        "tokenizer_config.json": tokenizer_config(SHAPE.positions, CHAT_TEMPLATE),
    }
    for name, content in described.items():
        (out / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (out / "tokenizer.json").write_text(words.tokenizer.to_str() + "\n", encoding="utf-8")
    save_file(dict(weights), out / "model.safetensors", metadata={"format": "pt"})
    files = sorted((*described, "tokenizer.json", "model.safetensors"))
    sums = (f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}\n" for name in files)
    (out / SUMS).write_text("".join(sums), encoding="utf-8")


def publish(draft: Path, out: Path) -> list[Path]:
    """Copy the files that SHA256SUMS names, and itself, for everybody to read; those written."""
    out.mkdir(parents=True, exist_ok=True)
    names = [line.split("  ")[1] for line in (draft / SUMS).read_text().splitlines()]
    written = [Path(shutil.copyfile(draft / name, out / name)) for name in (*names, SUMS)]
    for path in written:
        # safetensors writes for the owner alone; a model server is somebody else.
        path.chmod(0o644)
    return written
