"""Why a model did not load or an engine died: a reason for the operator, words for a person."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_triton.symptoms import diagnose, telling, unprefixed

if TYPE_CHECKING:
    from collections.abc import Iterable

# Where kubelet has a container leave its last words.
TERMINATION_LOG = Path("/dev/termination-log")
# kubelet shows up to 4 KiB of a termination message; half of it leaves room for the others'.
MESSAGE_LIMIT = 2048
_LINE_LIMIT = 600
_TEXT_LIMIT = 1000
_SUGGESTION_LIMIT = 400


class Reason(StrEnum):
    """Closed set of reasons, as the operator's conditions name them."""

    SHARED_MEMORY_TOO_SMALL = "SharedMemoryTooSmall"
    DISK_FULL = "DiskFull"
    CUDA_OUT_OF_MEMORY = "CudaOutOfMemory"
    KV_CACHE_TOO_SMALL = "KVCacheTooSmall"
    GPU_ERROR = "GPUError"
    UNSUPPORTED_GPU = "UnsupportedGPU"
    GPU_COUNT_MISMATCH = "GPUCountMismatch"
    GPU_COMMUNICATION_FAILED = "GPUCommunicationFailed"
    MODEL_NOT_FOUND = "ModelNotFound"
    MODEL_DOWNLOAD_FAILED = "ModelDownloadFailed"
    MODEL_CORRUPT = "ModelCorrupt"
    MODEL_UNSUPPORTED = "ModelUnsupported"
    BAD_ENGINE_ARGUMENT = "BadEngineArgument"
    OUT_OF_MEMORY = "OutOfMemory"
    OPENAI_ENDPOINT_FAILED = "OpenAIEndpointFailed"
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    ENGINE_DEAD = "EngineDead"
    STUB_CRASHED = "StubCrashed"


# Of an engine that died while serving: what says more than that it is dead.
_DEADLY = {
    Reason.SHARED_MEMORY_TOO_SMALL,
    Reason.DISK_FULL,
    Reason.CUDA_OUT_OF_MEMORY,
    Reason.OUT_OF_MEMORY,
    Reason.GPU_ERROR,
    Reason.GPU_COMMUNICATION_FAILED,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, classified."""

    reason: Reason
    message: str
    log_line: str = ""
    suggestion: str = ""

    def document(self) -> str:
        """The termination message: JSON of at most MESSAGE_LIMIT bytes."""
        line, text = self.log_line[:_LINE_LIMIT], self.message[:_TEXT_LIMIT]
        known = {"reason": self.reason.value}
        if self.suggestion:
            known["suggestion"] = self.suggestion[:_SUGGESTION_LIMIT]
        while True:
            document = json.dumps(known | {"message": text, "logLine": line}, ensure_ascii=False)
            if len(document.encode("utf-8", "replace")) <= MESSAGE_LIMIT:
                return document
            line, text = line[: len(line) * 3 // 4], text[: len(text) * 3 // 4]


# What arrives here when the engine's own process has failed: true, and of no use to anybody.
_ELSEWHERE = re.compile(r"See (?:root cause|(?:the )?stack trace)")
_ERROR = re.compile(r"(?:Error|Exception|Exit|Fault)\b[^:]*: \S|\bERROR\b.*\S")


def classify(error: str, log: Iterable[str], default: Reason = Reason.MODEL_LOAD_FAILED) -> Failure:
    """The failure behind an error, which the engine's own process has often written down better.

    Args:
        error: text of the exception with its causes, oldest first.
        log: last lines of the console, oldest first.
        default: the reason when nothing is recognised.
    """
    lines = telling(log)
    if (found := diagnose([*error.splitlines(), *lines])) is not None:
        return Failure(Reason(found.reason), found.message, found.log_line, found.suggestion)
    raised = [line for line in lines if _ERROR.search(line)]
    message = error.strip().splitlines()[-1] if error.strip() else "the engine gave no reason"
    causes = [line for line in raised if not _ELSEWHERE.search(line)] or raised
    if _ELSEWHERE.search(message) and causes:
        message = unprefixed(causes[-1])
    return Failure(default, message, causes[-1] if causes else "")


def classify_death(log: Iterable[str]) -> Failure:
    """Why an engine died that had been serving: mere words about arguments or files explain none.

    Args:
        log: last lines of the console, oldest first.
    """
    gone = "the engine's process is gone"
    found = classify(gone, log, Reason.ENGINE_DEAD)
    return found if found.reason in _DEADLY else Failure(Reason.ENGINE_DEAD, gone, found.log_line)


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
