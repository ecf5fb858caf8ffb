"""Why a model did not load or an engine died: a reason for the operator, words for a person."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

# kubelet shows up to 4 KiB of a termination message; half of it leaves room for the others'.
MESSAGE_LIMIT = 2048
_LINE_LIMIT = 600
_TEXT_LIMIT = 1000


class Reason(StrEnum):
    """Closed set of reasons, as the operator's conditions name them."""

    CUDA_OUT_OF_MEMORY = "CudaOutOfMemory"
    KV_CACHE_TOO_SMALL = "KVCacheTooSmall"
    BAD_ENGINE_ARGUMENT = "BadEngineArgument"
    MODEL_NOT_FOUND = "ModelNotFound"
    MODEL_DOWNLOAD_FAILED = "ModelDownloadFailed"
    UNSUPPORTED_GPU = "UnsupportedGPU"
    OUT_OF_MEMORY = "OutOfMemory"
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    ENGINE_DEAD = "EngineDead"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, classified."""

    reason: Reason
    message: str
    log_line: str = ""

    def document(self) -> str:
        """The termination message: JSON of at most MESSAGE_LIMIT bytes."""
        line, text = self.log_line[:_LINE_LIMIT], self.message[:_TEXT_LIMIT]
        while True:
            document = json.dumps(
                {"reason": self.reason.value, "message": text, "logLine": line},
                ensure_ascii=False,
            )
            if len(document.encode("utf-8", "replace")) <= MESSAGE_LIMIT:
                return document
            line, text = line[: len(line) * 3 // 4], text[: len(text) * 3 // 4]


# First hit wins, most specific first: the KV cache is checked after memory ran out, and an engine
# argument is only to blame when nothing about memory, model or device is named.
_WORDS: Mapping[Reason, Sequence[str]] = {
    Reason.CUDA_OUT_OF_MEMORY: (
        r"OutOfMemoryError",
        r"CUDA out of memory",
        r"CUDA error: out of memory",
        r"cudaErrorMemoryAllocation",
        r"less than desired GPU memory utilization",
    ),
    Reason.KV_CACHE_TOO_SMALL: (
        r"No available memory for the cache blocks",
        r"larger than the available KV cache",
        r"maximum number of tokens that can be stored in KV cache",
    ),
    Reason.UNSUPPORTED_GPU: (
        r"no kernel image is available",
        r"only supported on GPUs with compute capability",
        r"NVIDIA driver on your system is too old",
        r"No CUDA GPUs are available",
        r"Found no NVIDIA driver",
        r"CUDA driver version is insufficient",
    ),
    Reason.MODEL_DOWNLOAD_FAILED: (
        r"GatedRepoError",
        r"RepositoryNotFoundError",
        r"LocalEntryNotFoundError",
        r"HfHubHTTPError",
        r"OfflineModeIsEnabled",
        r"couldn't connect to",
        r"(?:401|403|429) Client Error",
    ),
    Reason.MODEL_NOT_FOUND: (
        r"Invalid repository ID or local directory",
        r"Cannot find any model weights",
        r"not a local folder and is not a valid model identifier",
        r"HFValidationError",
        r"does not appear to have a file named",
        r"No such file or directory.*(?:config|safetensors)",
        r"Can't load (?:tokenizer|the configuration)",
    ),
    Reason.OUT_OF_MEMORY: (
        r"DefaultCPUAllocator: can't allocate",
        r"\bMemoryError\b",
        r"Cannot allocate memory",
        r"std::bad_alloc",
        r"Failed core proc\(s\): \{[^}]*-9\b",
    ),
    Reason.BAD_ENGINE_ARGUMENT: (
        r"unknown engine argument",
        r"unexpected keyword argument",
        r"validation errors? for",
        r"greater than the derived max_model_len",
        r"must be divisible by",
        r"BadSettings",
        r"invalid literal",
    ),
}
_RULES = {reason: re.compile("|".join(words)) for reason, words in _WORDS.items()}

# What arrives here when the engine's own process has failed: true, and of no use to anybody.
_ELSEWHERE = re.compile(r"See (?:root cause|(?:the )?stack trace)")
_PROGRESS = re.compile(r"\b(?:INFO|DEBUG)\b")
_ERROR = re.compile(r"(?:Error|Exception|Exit|Fault)\b[^:]*: \S|\bERROR\b.*\S")
_PREFIX = re.compile(r"^(?:\([^)]*\)\s*)*(?:(?:ERROR|WARNING) [\d-]+ [\d:]+ \[[^]]*\] ?)?")


def classify(error: str, log: Iterable[str], default: Reason = Reason.MODEL_LOAD_FAILED) -> Failure:
    """The failure behind an error, which the engine's own process has often written down better.

    Args:
        error: text of the exception with its causes, oldest first.
        log: last lines of the console, oldest first.
        default: the reason when nothing is recognised.
    """
    lines = [clean for line in log if (clean := line.strip()) and not _PROGRESS.search(clean)]
    sources = [*(error.splitlines()), *lines]
    for reason, pattern in _RULES.items():
        hits = [line for line in sources if pattern.search(line)]
        if hits:
            return Failure(reason, _PREFIX.sub("", hits[0]).strip(), hits[-1])
    raised = [line for line in lines if _ERROR.search(line)]
    message = error.strip().splitlines()[-1] if error.strip() else "the engine gave no reason"
    causes = [line for line in raised if not _ELSEWHERE.search(line)] or raised
    if _ELSEWHERE.search(message) and causes:
        message = _PREFIX.sub("", causes[-1]).strip()
    return Failure(default, message, causes[-1] if causes else "")


def describe(error: BaseException) -> str:
    """An exception with its causes, oldest first, one a line."""
    chain: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        chain.append(f"{type(seen).__name__}: {seen}")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join(reversed(chain))


def write_termination_message(failure: Failure, path: Path) -> bool:
    """Leave the failure where kubelet finds it.

    Args:
        failure: what happened.
        path: the container's termination message file; outside Kubernetes there is none.

    Returns:
        Whether it was written.
    """
    if not path.exists():
        return False
    try:
        path.write_text(failure.document(), encoding="utf-8", errors="replace")
    except OSError:
        return False
    return True
