from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_triton.failures import (
    MESSAGE_LIMIT,
    Failure,
    Reason,
    classify,
    describe,
    write_termination_message,
)

if TYPE_CHECKING:
    from pathlib import Path

GONE = (
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): "
)

# What vLLM, torch and huggingface_hub write; one line of each is enough to know.
CASES: list[tuple[Reason, str]] = [
    (
        Reason.CUDA_OUT_OF_MEMORY,
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
    ),
    (
        Reason.CUDA_OUT_OF_MEMORY,
        "ValueError: Free memory on device (3/80 GiB) is less than desired GPU memory utilization",
    ),
    (Reason.KV_CACHE_TOO_SMALL, "ValueError: No available memory for the cache blocks. Try"),
    (
        Reason.KV_CACHE_TOO_SMALL,
        "ValueError: 6 GiB KV cache is needed, which is larger than the available KV cache memory",
    ),
    (
        Reason.UNSUPPORTED_GPU,
        "RuntimeError: CUDA error: no kernel image is available for execution",
    ),
    (
        Reason.UNSUPPORTED_GPU,
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0.",
    ),
    (Reason.MODEL_DOWNLOAD_FAILED, "huggingface_hub.errors.GatedRepoError: 401 Client Error."),
    (Reason.MODEL_DOWNLOAD_FAILED, "OSError: We couldn't connect to 'https://huggingface.co'"),
    (
        Reason.MODEL_NOT_FOUND,
        "ValueError: Invalid repository ID or local directory specified: '/x'",
    ),
    (Reason.MODEL_NOT_FOUND, "RuntimeError: Cannot find any model weights with `/weights/x`"),
    (Reason.OUT_OF_MEMORY, "RuntimeError: DefaultCPUAllocator: can't allocate memory: 8 bytes"),
    (Reason.OUT_OF_MEMORY, GONE + "{'EngineCore': -9}"),
    (
        Reason.BAD_ENGINE_ARGUMENT,
        "BadSettings: unknown engine argument 'max_len' in model.json: vLLM 0.32.0 has none",
    ),
    (
        Reason.BAD_ENGINE_ARGUMENT,
        "ValidationError: max_model_len (9) is greater than the derived max_model_len",
    ),
    (Reason.MODEL_LOAD_FAILED, "RuntimeError: something new"),
]


@pytest.mark.parametrize(("reason", "line"), CASES)
def test_an_error_is_known_by_its_words(reason: Reason, line: str) -> None:
    assert classify(line, []).reason is reason


@pytest.mark.parametrize(("reason", "line"), CASES[:-1])
def test_the_engines_own_log_explains_an_error_that_does_not(reason: Reason, line: str) -> None:
    log = [
        "(EngineCore pid=7) INFO 11-23 13:08:33 [core.py:1] Initializing",
        f"(EngineCore pid=7) ERROR 11-23 13:08:33 [core.py:946] {line}",
    ]
    failure = classify(GONE + "{}", log)
    assert failure.reason is reason
    assert failure.message == line
    assert failure.log_line == log[1]


def test_an_information_is_never_taken_for_a_cause() -> None:
    log = ["INFO 11-23 [x.py:1] set CUDA out of memory handling"]
    assert classify("RuntimeError: new", log).reason is Reason.MODEL_LOAD_FAILED


def test_an_unknown_failure_shows_the_last_error_that_was_printed() -> None:
    failure = classify("RuntimeError: gone", ["ERROR a", "KeyError: 'layers.3'", "WARNING b"])
    assert failure == Failure(
        Reason.MODEL_LOAD_FAILED, "RuntimeError: gone", "KeyError: 'layers.3'"
    )


def test_an_error_that_points_elsewhere_is_replaced_by_what_it_points_to() -> None:
    cause = "CalledProcessError: Command 'lscpu' returned non-zero exit status 127."
    log = [f"(EngineCore pid=7) ERROR 11-23 13:08:33 [core.py:946] {cause}"]
    log.append("Exception: WorkerProc initialization failed. See stack trace for root cause.")
    assert classify(GONE + "{}", log) == Failure(Reason.MODEL_LOAD_FAILED, cause, log[0])


def test_an_exception_is_described_with_its_causes_oldest_first() -> None:
    error = RuntimeError("no x")
    error.__cause__ = KeyError("x")
    assert describe(error) == "KeyError: 'x'\nRuntimeError: no x"


@given(st.text(), st.text())
def test_a_termination_message_is_json_within_its_limit(message: str, line: str) -> None:
    document = Failure(Reason.ENGINE_DEAD, message * 50, line * 50).document()
    assert len(document.encode("utf-8", "surrogatepass")) <= MESSAGE_LIMIT
    assert json.loads(document)["reason"] == "EngineDead"


def test_it_is_written_only_where_kubelet_has_put_a_file(tmp_path: Path) -> None:
    path = tmp_path / "termination-log"
    failure = Failure(Reason.ENGINE_DEAD, "gone")
    assert not write_termination_message(failure, path)
    assert not path.exists()
    path.touch()
    assert write_termination_message(failure, path)
    assert json.loads(path.read_text()) == {
        "reason": "EngineDead",
        "message": "gone",
        "logLine": "",
    }
