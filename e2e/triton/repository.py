"""A model repository with our backend, as the operator renders it into a pod."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
BACKEND = ROOT / "operator/src/qwen_triton"
REFERENCE = ROOT / "operator/tests/backend/config.pbtxt"


def write_repository(
    folder: Path,
    model: str,
    engine: Mapping[str, object],
    parameters: Mapping[str, str],
    *,
    instances: int = 1,
) -> None:
    """Write a repository of one model; every user may read it.

    Args:
        folder: where to; made when it is not there.
        model: Triton's name of the model.
        engine: engine arguments, the content of model.json.
        parameters: values for parameters of the reference config.pbtxt.
        instances: how many instances of the model share the engine.

    Raises:
        KeyError: when the reference has no such parameter.
    """
    entry = folder / model
    package = entry / "1" / "qwen_triton"
    package.mkdir(parents=True, exist_ok=True)
    config = _replace(REFERENCE.read_text(), r'name: "', '"', "tiny-qwen", model)
    config = _replace(config, "KIND_MODEL, count: ", " ", "1", str(instances))
    for key, value in {"served_model_name": model, **parameters}.items():
        opening = rf'key: "{key}", value: {{ string_value: "'
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        config = _replace(config, opening, '"', '[^"]*', quoted)
    (entry / "config.pbtxt").write_text(config)
    (entry / "1" / "model.json").write_text(json.dumps(engine))
    for module in BACKEND.glob("*.py"):
        target = entry / "1" if module.name == "model.py" else package
        (target / module.name).write_bytes(module.read_bytes())
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _replace(config: str, opening: str, closing: str, old: str, new: str) -> str:
    made, count = re.subn(
        f"({opening}){old}({closing})", lambda found: f"{found[1]}{new}{found[2]}", config, count=1
    )
    if not count:
        raise KeyError(opening)
    return made
