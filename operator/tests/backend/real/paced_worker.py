"""vLLM's own worker for CPUs, with a pause before each step and a line about it in the log.

An answer lasts as long as a test needs it, on a quick machine and on a starved one; and by the
machine's own clock the log tells until when the engine worked on which request. The module is
copied beside the model; the pause is an environment variable (pacing.py).
"""

from __future__ import annotations

import os
import time
from typing import Any

from vllm.v1.worker.cpu_worker import CPUWorker

_PAUSE_SECONDS = float(os.environ["QWEN_TEST_STEP_SECONDS"])
_STANDARD_ERROR = 2


class PacedWorker(CPUWorker):  # type: ignore[misc]
    """Takes its time for each step that computes a token."""

    def execute_model(self, scheduler_output: Any, *args: Any, **kwargs: Any) -> Any:
        """One step of the scheduler."""
        if scheduler_output.num_scheduled_tokens:
            names = " ".join(scheduler_output.num_scheduled_tokens)
            # At once and in one piece: vLLM decorates what Python prints.
            os.write(_STANDARD_ERROR, b"step %.6f %s\n" % (time.monotonic(), names.encode()))
            time.sleep(_PAUSE_SECONDS)
        return super().execute_model(scheduler_output, *args, **kwargs)
