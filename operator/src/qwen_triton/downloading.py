"""How much of a model has come from the hub so far: read from the hub's own cache folder."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_INDEX = "model.safetensors.index.json"
_SECTOR = 512


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where huggingface_hub keeps what it downloads."""
    home = environment.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    return Path(environment.get("HF_HUB_CACHE") or Path(home) / "hub")


def _written(path: Path) -> int:
    """Bytes of a file that are there: one that is being fetched may have its whole length."""
    found = path.stat()
    return min(found.st_size, found.st_blocks * _SECTOR)


def _total(folder: Path) -> int | None:
    """Bytes of all weights, as their index says; a model of one file has none."""
    for index in folder.glob(f"snapshots/*/{_INDEX}"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            return int(json.loads(index.read_text(encoding="utf-8"))["metadata"]["total_size"])
    return None


def downloaded(model: str, cache: Path | None = None) -> dict[str, int]:
    """`bytes` that are here, and `total` where that is known.

    Args:
        model: its name on the hub.
        cache: the hub's cache folder; what the environment says when left out.
    """
    folder = (cache or cache_folder(os.environ)) / f"models--{model.replace('/', '--')}"
    here = 0
    for each in folder.glob("blobs/*"):
        # It may be renamed at this very moment.
        with suppress(OSError):
            here += _written(each)
    total = _total(folder)
    return {"bytes": here} if total is None else {"bytes": here, "total": total}
