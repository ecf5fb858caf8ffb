from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from e2e.tiny_qwen.__main__ import main
from e2e.tiny_qwen.folder import write_model

ROOT = Path(__file__).resolve().parents[3]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model")
    write_model(out, seed=0)
    return out


def test_the_same_seed_gives_the_same_bytes_in_another_process(model: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "e2e.tiny_qwen", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )
    assert digests(tmp_path) == digests(model)


def test_another_seed_changes_the_weights_and_nothing_else(model: Path, tmp_path: Path) -> None:
    write_model(tmp_path, seed=1)
    ours, theirs = digests(model), digests(tmp_path)
    assert {name for name in ours if ours[name] != theirs[name]} == {"model.safetensors"}


def test_the_weights_have_the_shapes_that_the_config_promises(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    weights = load_file(model / "model.safetensors")
    hidden = config["hidden_size"]
    assert weights["model.embed_tokens.weight"].shape == (config["vocab_size"], hidden)
    assert hidden // config["num_attention_heads"] == 64
    keys = weights["model.layers.1.self_attn.k_proj.weight"]
    assert keys.shape == (64 * config["num_key_value_heads"], hidden)
    assert f"model.layers.{config['num_hidden_layers']}.mlp.up_proj.weight" not in weights
    assert "lm_head.weight" not in weights


def test_text_of_every_script_survives_the_tokenizer(model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    text = "Hello über 大海 🚀 \x00\t\n end"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_the_special_tokens_are_one_token_each_and_close_the_vocabulary(model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    config = json.loads((model / "config.json").read_text())
    size = config["vocab_size"]
    assert tokenizer.get_vocab_size() == size
    ids = tokenizer.encode("<|endoftext|><|im_start|><|im_end|>").ids
    assert ids == [size - 3, size - 2, size - 1]
    assert config["eos_token_id"] == size - 1


def test_everybody_may_read_the_model(model: Path) -> None:
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in model.iterdir())


def test_a_folder_that_cannot_be_written_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file")]) == 1
    assert "cannot write the tiny Qwen to" in capsys.readouterr().err
