"""What Triton loads: the three calls of its Python backend, and nothing of our own."""

from __future__ import annotations

import locale
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_triton.adapters import NVIDIAS_FILE
from qwen_triton.failures import Failure, Reason
from qwen_triton.settings import ENGINE_FILE, BadSettings, parse_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwen_triton.serving import Serving

_COMPILERS = ("g++", "gcc", "clang", "cc")


def prepare_process() -> None:
    """What vllm must find before its first import; the container's own settings win."""
    # The embedded interpreter starts in the C locale: vllm and torch read files as ASCII then.
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    # A forked engine would inherit this process's threads and Triton's shared memory.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    # vLLM compiles small functions even when it is told to be eager: the first request for log
    # probabilities would end the engine where there is no compiler.
    if not any(shutil.which(compiler) for compiler in _COMPILERS):
        os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")


class TritonPythonModel:
    """The model as Triton sees it. Triton fixes the name of the class and of its methods."""

    _serving: Serving

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the model; Triton takes requests when this returns.

        Raises:
            LoadFailed: when the engine does not come up; Triton logs it and ends.
            BadSettings: when the repository entry is wrong.
        """
        prepare_process()
        from qwen_triton import serving  # noqa: PLC0415  Triton's modules exist from here

        folder = Path(args["model_repository"]) / args["model_version"]
        try:
            engine_file = (folder / ENGINE_FILE).read_text(encoding="utf-8")
            adapters = folder / NVIDIAS_FILE
            adapters_file = adapters.read_text(encoding="utf-8") if adapters.exists() else ""
            self._serving = serving.Serving(parse_settings(args, engine_file, adapters_file))
        except (BadSettings, OSError) as error:
            serving.report(Failure(Reason.BAD_ENGINE_ARGUMENT, str(error)))
            raise
        self._serving.start()

    def execute(self, requests: Sequence[object]) -> None:
        """Take requests; the answers come later through each request's own sender."""
        self._serving.accept(requests)

    def finalize(self) -> None:
        """End: running streams are drained first."""
        self._serving.stop()
