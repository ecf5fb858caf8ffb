"""A vLLM worker without a model: it makes up tokens at a set rate.

vLLM's engine, scheduler and everything in front of them are the real ones; what a GPU would compute
is a pause. So a machine without a GPU can say what the doors in front of an engine cost and carry.
Given to vLLM as the engine argument `worker_cls`; BENCH_TOKENS_PER_SECOND sets the rate a stream.
"""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any

import torch
from vllm.v1.kv_cache_interface import FullAttentionSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.worker import worker_base

if TYPE_CHECKING:
    from vllm.v1.core.sched.output import SchedulerOutput

RATE = "BENCH_TOKENS_PER_SECOND"
# Enough for 256 streams of a few hundred tokens with the spec below.
_MEMORY_BYTES = 1 << 30
_BLOCK_TOKENS = 16
# Letters and pairs of them in the tokenizer of benchmarks.serving.shapes.
_TOKENS = range(300, 2900)


class SyntheticWorker(worker_base.WorkerBase):  # type: ignore[misc]
    """Answers each step of the scheduler with a token a request, no sooner than the rate allows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  vLLM's own
        # Newer versions hand workers more than older base classes take.
        kwargs.pop("shared_worker_lock", None)
        super().__init__(*args, **kwargs)
        self._step_seconds = 1.0 / float(os.environ.get(RATE, "100"))
        self._due = 0.0
        self._tokens = itertools.cycle(_TOKENS)
        # Tokens of a prompt that are still to be read, by request.
        self._unread: dict[str, int] = {}

    def init_device(self) -> None:
        """There is none."""
        self.device = torch.device("cpu")

    def load_model(self, **_: object) -> None:
        """There is none."""

    def compile_or_warm_up_model(self) -> Any:  # noqa: ANN401  moved between versions
        """Nothing to compile."""
        times = getattr(worker_base, "CompilationTimes", None)
        return 0.0 if times is None else times(0.0, 0.0)

    def determine_available_memory(self) -> int:
        """What the scheduler may plan with, in bytes."""
        return _MEMORY_BYTES

    def get_kv_cache_spec(self) -> dict[str, FullAttentionSpec]:
        """One small layer."""
        return {
            "layer": FullAttentionSpec(
                block_size=_BLOCK_TOKENS, num_kv_heads=1, head_size=64, dtype=torch.bfloat16
            )
        }

    def get_supported_kv_cache_layouts(self) -> list[str]:
        """Any will do."""
        return ["NHD"]

    def set_kv_cache_layout(self, kv_cache_layout: str) -> None:
        """There is no cache to lay out."""

    def initialize_from_config(self, kv_cache_config: object) -> None:
        """There is no cache to make."""

    def get_supported_tasks(self) -> tuple[str, ...]:
        """Text in, text out."""
        return ("generate",)

    def execute_model(self, scheduler_output: SchedulerOutput) -> ModelRunnerOutput:
        """One step: a token for every request whose prompt has been read."""
        for request in scheduler_output.scheduled_new_reqs:
            self._unread[request.req_id] = (
                len(request.prompt_token_ids or ()) - request.num_computed_tokens
            )
        for finished in scheduler_output.finished_req_ids:
            self._unread.pop(finished, None)
        scheduled = scheduler_output.num_scheduled_tokens
        sampled = []
        for name, count in scheduled.items():
            self._unread[name] = self._unread.get(name, 0) - count
            sampled.append([next(self._tokens)] if self._unread[name] <= 0 else [])
        if scheduled:
            self._wait()
        names = list(scheduled)
        return ModelRunnerOutput(
            req_ids=names,
            req_id_to_index={name: at for at, name in enumerate(names)},
            sampled_token_ids=sampled,
            logprobs=None,
            prompt_logprobs_dict={},
            pooler_output=[],
        )

    def _wait(self) -> None:
        """Until the step is due; an engine that was idle owes no steps."""
        now = time.monotonic()
        time.sleep(max(0.0, self._due - now))
        self._due = max(self._due, now) + self._step_seconds
