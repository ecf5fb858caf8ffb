"""Show where each number of fit/data/models.yaml stands in public sources, and check it.

`python operator/model_shapes.py CHECKOUTS`, where CHECKOUTS is a folder that holds clones of
alibaba/Pai-Megatron-Patch, THUDM/slime, ai-dynamo/aiconfigurator and
abhibambhaniya/GenZ-LLM-Analyzer, each in a folder of its repository's name. Exits with 1 where a
source contradicts the table in a way that is not listed under `disputed`.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qwen_operator.fit.knowledge import read
from qwen_operator.fit.shapes import named
from qwen_operator.fit.weights import parameters

Numbers = dict[str, int | bool]

_PAI = {
    "NUM_LAYERS": "layers",
    "HIDDEN_SIZE": "hidden",
    "NUM_ATTN_HEADS": "heads",
    "NUM_ATTENTION_HEADS": "heads",
    "NUM_KEY_VALUE_HEADS": "kv_heads",
    "INTERMEDIATE_SIZE": "intermediate",
    "VOCAB_SIZE": "vocab",
    "NUM_EXPERTS": "experts",
    "NUM_EXPERTS_PER_TOPK": "experts_per_token",
    "MOE_INTERMEDIATE_SIZE": "moe_intermediate",
    "SHARED_EXPERT_INTERMEDIATE_SIZE": "shared_intermediate",
}
_SLIME = {
    "num-layers": "layers",
    "hidden-size": "hidden",
    "num-attention-heads": "heads",
    "num-query-groups": "kv_heads",
    "kv-channels": "head_dim",
    "ffn-hidden-size": "intermediate",
    "vocab-size": "vocab",
    "num-experts": "experts",
    "moe-router-topk": "experts_per_token",
    "moe-ffn-hidden-size": "moe_intermediate",
}
_HUGGING_FACE = {
    "num_hidden_layers": "layers",
    "num_decoder_layers": "layers",
    "hidden_size": "hidden",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "intermediate_size": "intermediate",
    "vocab_size": "vocab",
    "tie_word_embeddings": "tied",
    "max_position_embeddings": "positions",
    "num_experts": "experts",
    "expert_top_k": "experts_per_token",
    "num_experts_per_tok": "experts_per_token",
    "moe_intermediate_size": "moe_intermediate",
    "shared_expert_intermediate_size": "shared_intermediate",
}


def _text(checkouts: Path, source: str, path: str) -> str:
    repository, commit = source.split(maxsplit=1)[0].split("@")
    folder = checkouts / repository.split("/")[1]
    command = ["git", "-C", str(folder), "show", f"{commit}:{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _pai(text: str, size: str) -> Numbers:
    """The branch of a shell script that sets one size's variables."""
    branch = re.search(rf"MODEL_SIZE = {re.escape(size)} \](.*?)(?:\nelif|\nfi)", text, re.DOTALL)
    if branch is None:
        raise SystemExit(f"error: no branch for {size}")
    found = re.findall(r"^\s*([A-Z_]+)=(\d+)$", branch[1], re.MULTILINE)
    made: Numbers = {_PAI[key]: int(value) for key, value in found if key in _PAI}
    if (groups := re.search(r"num-query-groups (\d+)", branch[1])) is not None:
        made["kv_heads"] = int(groups[1])
    return made


def _slime(text: str) -> Numbers:
    found = re.findall(r"--([a-z-]+) (\d+)", text)
    made: Numbers = {_SLIME[key]: int(value) for key, value in found if key in _SLIME}
    return {**made, "tied": "--untie-embeddings" not in text}


def _genz(text: str, model: str) -> Numbers:
    """The keyword arguments of one call, computed where they are sums."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and any(
            each.arg == "model" and ast.unparse(each.value) == repr(f"Qwen/{model}")
            for each in node.keywords
        ):
            known = [each for each in node.keywords if each.arg in _HUGGING_FACE]
            return {_HUGGING_FACE[str(each.arg)]: _product(each.value) for each in known}
    return {}


def _product(node: ast.expr) -> int:
    if isinstance(node, ast.BinOp):
        return _product(node.left) * _product(node.right)
    return int(ast.literal_eval(node))


def _config(text: str) -> Numbers:
    content: dict[str, Any] = json.loads(text)
    return {_HUGGING_FACE[key]: content[key] for key in _HUGGING_FACE if key in content}


def _said(checkouts: Path, key: str, model: str) -> Numbers:
    """What one source says of one model."""
    source = read("models")["sources"][key]
    path = source.split(" ", 1)[1]
    size = model.split("-", 1)[1]
    if key.startswith("pai"):
        short = {"MoE-A2.7B": "A2.7B", "57B-A14B": "A14B", "30B-A3B": "A3B", "235B-A22B": "A22B"}
        return _pai(_text(checkouts, source, path), short.get(size, size))
    if key.startswith("slime"):
        return _slime(_text(checkouts, source, path.replace("*", size)))
    if key.startswith("genz"):
        return _genz(_text(checkouts, source, path), model)
    name = f"{model}-Instruct" if "Coder" in model else model
    return _config(_text(checkouts, source, path.replace("Qwen--*", f"Qwen--{name}")))


def _rows(checkouts: Path) -> Iterator[tuple[str, str, str, object, bool]]:
    """Model, field, source, what the source says, whether the table says so too."""
    for model, row in read("models")["models"].items():
        for key in row["sources"]:
            for field, value in _said(checkouts, key, model).items():
                yield model, field, key, value, row.get(field, 0) == value


def main() -> int:
    """Print every number with its sources."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and one folder
        sys.stderr.write(f"{__doc__}")
        return 2
    disputed = {
        (each["model"], each["source"], each["field"]) for each in read("models")["disputed"]
    }
    wrong = 0
    for model, field, key, value, agrees in _rows(Path(sys.argv[1])):
        known = (model, key, field) in disputed
        verdict = "agrees" if agrees else "disputed" if known else "CONTRADICTS"
        wrong += verdict == "CONTRADICTS"
        sys.stdout.write(f"{model:24} {field:20} {value!s:>8}  {key:8} {verdict}\n")
    for model, row in read("models")["models"].items():
        billions = parameters(named(model)).total / 1e9
        wrong += abs(billions - row["billions"]) > 0.006  # noqa: PLR2004 - the table's rounding
        sys.stdout.write(f"{model:24} {'billions':20} {billions:8.2f}  computed\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
