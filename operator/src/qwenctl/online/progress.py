"""How far a model's start has come: from its backend, and the last lines of its log."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec, OperatorError
from qwen_operator.fit.shapes import named
from qwen_operator.fit.weights import weight_bytes
from qwenctl.online.connection import Cluster

_LINES = "80"
_BAR = 20
_UNAVAILABLE = 503
_LOADING = "loading the weights"
_DOWNLOADING = "downloading the weights"
_PHASES = (
    ("starting vLLM", re.compile(r"Initializing an? (?:V1 )?LLM engine")),
    (_DOWNLOADING, re.compile(r"Fetching \d+ files:\s+(\d+)%")),
    (_DOWNLOADING, re.compile(r"\.safetensors:\s+(\d+)%")),
    (_LOADING, re.compile(r"checkpoint shards:\s+(\d+)% Completed")),
    (_LOADING, re.compile(r"Starting to load model|Loading model from scratch")),
    ("weights loaded", re.compile(r"[Mm]odel loading took|Loading (?:model )?weights took")),
    ("compiling", re.compile(r"Dynamo bytecode transform|Compiling a graph|torch\.compile took")),
    ("sizing the KV cache", re.compile(r"KV cache memory: |KV cache size: |# \w+ blocks: ")),
    ("capturing CUDA graphs", re.compile(r"Capturing CUDA graphs?[^:\n]*:\s+(\d+)%")),
    ("warming up", re.compile(r"init engine \(profile")),
)
_BACKEND_PHASES = {
    "starting": "starting Triton's Python backend",
    "importing": "importing vLLM",
    "downloading": _DOWNLOADING,
    "loading": "starting vLLM",
    "warming": "warming up",
    "opening": "opening Triton's ports",
}
"""What the backend's /health says, which knows nothing of what vLLM does meanwhile."""

_BEFORE_VLLM = ("starting", "importing", "downloading")
_SIZE = re.compile(r"Checkpoint size: ([0-9.]+) GiB")
_AMOUNT = re.compile(
    r"\.safetensors:\s+\d+%\|[^|\n]*\|\s*([0-9.]+)([kMGT]?)B?/([0-9.]+)([kMGT]?)B?"
)
_SCALES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_GIB = 1024**3
_HUB = "hf://"
_NEARLY = 99
"""Percent that what was only computed never goes beyond."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a start stands.

    Attributes:
        phase: what is being done, in vLLM's order.
        percent: of that phase; None where nobody tells.
        done: bytes of weights that are downloaded or loaded; None where nobody tells.
        total: bytes that they will be.
        computed: the total is what such weights come to, which nobody told.
    """

    phase: str
    percent: int | None = None
    done: int | None = None
    total: int | None = None
    computed: bool = False


def of_model(found: Progress, source: str) -> Progress:
    """The same with a total, where a model of one file tells none and the table knows its shape."""
    if found.done is None or found.total is not None or not source.startswith(_HUB):
        return found
    try:
        shape = named(source.removeprefix(_HUB))
    except InvalidSpec:
        return found
    total = weight_bytes(shape, 1, 1, shape.dtype_bytes)
    percent = min(_NEARLY, 100 * found.done // total)
    return replace(found, percent=percent, total=total, computed=True)


def _with_amounts(found: Progress, log: str) -> Progress:
    """The same with bytes, where the log has them."""
    if found.phase == _DOWNLOADING and (seen := [*_AMOUNT.finditer(log)]):
        have, unit, whole, whole_unit = seen[-1].groups()
        done, total = float(have) * _SCALES[unit], float(whole) * _SCALES[whole_unit]
        return replace(found, done=int(done), total=int(total))
    if found.phase == _LOADING and found.percent is not None and (size := _SIZE.search(log)):
        total = float(size[1]) * _GIB
        return replace(found, done=int(total * found.percent / 100), total=int(total))
    return found


def told_by_operator(status: Mapping[str, Any]) -> dict[str, Progress]:
    """Name of a pod → how far its download is, for whoever may not ask the pod."""
    told = status.get("download")
    if told is None:
        return {}
    done, total = int(told["bytes"]), told.get("totalBytes")
    percent = 100 * done // total if total else None
    return {told["pod"]: Progress(_DOWNLOADING, percent, done, total)}


def of_log(log: str) -> Progress | None:
    """What the last telling line of a log says; None where no line tells."""
    latest = -1
    found = None
    for phase, pattern in _PHASES:
        for match in pattern.finditer(log):
            if match.start() >= latest:
                latest = match.start()
                found = Progress(phase, int(match[1]) if pattern.groups else None)
    return None if found is None else _with_amounts(found, log)


def of_health(text: str) -> tuple[str, Progress] | None:
    """The backend's word for its phase, and what it comes to; None where it tells none."""
    try:
        told = json.loads(text)
        phase = str(told["phase"])
        shown = Progress(_BACKEND_PHASES[phase])
        amounts = told.get("download") or {}
        done, total = amounts.get("bytes"), amounts.get("total")
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    if phase != "downloading" or not isinstance(done, int):
        return phase, shown
    if not isinstance(total, int) or total <= 0:
        return phase, replace(shown, done=done)
    percent = min(100, 100 * done // total)
    return phase, replace(shown, percent=percent, done=done, total=total)


def progress(health: str | None, log: str | None) -> Progress | None:
    """What both tell together: before vLLM begins the backend knows, then the log does."""
    told = None if health is None else of_health(health)
    if told is not None and told[0] in _BEFORE_VLLM:
        logged = of_log(log or "") if told[1].phase == _DOWNLOADING else None
        better = logged is not None and logged.phase == _DOWNLOADING and told[1].done is None
        return logged if better else told[1]
    logged = None if log is None else of_log(log)
    if logged is not None and (told is None or told[0] == "loading"):
        return logged
    return told[1] if told is not None else logged


def _amount(size: int) -> str:
    return f"{size / _GIB:.1f}" if size >= _GIB / 10 else f"{size / _GIB:.3f}"


def bar(found: Progress) -> str:
    """The progress as a line."""
    amounts = ""
    if found.done is not None:
        about = "about " if found.computed else ""
        of = "" if found.total is None else f" of {about}{_amount(found.total)}"
        amounts = f" ({_amount(found.done)}{of} GiB)"
    if found.percent is None:
        return f"{found.phase}{amounts}"
    filled = _BAR * min(100, found.percent) // 100
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {found.percent}% {found.phase}{amounts}"


def progress_of(cluster: Cluster, pod: Mapping[str, Any]) -> Progress | None:
    """How far one pod has come; None where nothing of it can be read, which is no failure here."""
    metadata = pod["metadata"]
    base = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    health = log = None
    try:
        door = f"{base}:{naming.BACKEND_PORT}/proxy/health"
        health = cluster.text(f"ask pod {metadata['name']}", door, wanted=(_UNAVAILABLE,))
    except OperatorError:
        pass
    try:
        query = {"container": naming.CONTAINER, "tailLines": _LINES}
        log = cluster.text(f"read the log of pod {metadata['name']}", f"{base}/log", query)
    except OperatorError:
        pass
    return progress(health, log)
