"""One vLLM engine for several front ends, in vLLM's own way of doing so.

`vllm serve --api-server-count N` starts the engine's processes apart from the N processes that
tokenize, detokenize and talk to clients. Here Triton has started those, as instances of a model.
Only imported where vllm is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.utils import EngineZmqAddresses, launch_core_engines
from vllm.v1.executor.abstract import Executor

from qwen_triton.adapting import call
from qwen_triton.roster import SharedEngine
from qwen_triton.vllm_dialect import AS_A_SERVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from vllm.engine.arg_utils import AsyncEngineArgs

    from qwen_triton.roster import Roster

# vLLM's rank of a process that starts an engine and serves nobody.
_NO_FRONT_END = -1


@dataclass(frozen=True, slots=True)
class Core:
    """The engine's processes, as their parent holds them."""

    shared: SharedEngine
    manager: Any

    def stop(self) -> None:
        """End the processes."""
        end: Callable[[], None] = getattr(self.manager, "shutdown", None) or self.manager.close
        end()


def launch(arguments: AsyncEngineArgs, roster: Roster) -> Core:
    """Start the engine's processes; returns when they have loaded the model.

    Raises:
        RuntimeError: vLLM's, when they do not come up.
    """
    inputs, outputs = roster.endpoints()
    config = _config(arguments, roster.count, _NO_FRONT_END)
    known = {
        "vllm_config": config,
        "executor_class": Executor.get_class(config),
        "log_stats": not arguments.disable_log_stats,
        "addresses": EngineZmqAddresses(inputs=inputs, outputs=outputs),
        "num_api_servers": roster.count,
    }
    with call(launch_core_engines, known) as launched:
        # Until 0.2x a tuple; endpoints of vLLM's own choice where it takes none.
        if isinstance(launched, tuple):
            manager, _, addresses, *_ = launched
        else:
            manager, addresses = launched.engine_manager, launched.addresses
    pids = [process.pid for process in manager.processes if process.pid is not None]
    return Core(SharedEngine(list(addresses.inputs), list(addresses.outputs), pids), manager)


def attach(arguments: AsyncEngineArgs, shared: SharedEngine, roster: Roster) -> AsyncLLM:
    """A front end on an engine that is already there; to be called on the loop that will own it."""
    known = {
        "vllm_config": _config(arguments, roster.count, roster.index),
        "usage_context": AS_A_SERVER,
        "disable_log_stats": arguments.disable_log_stats,
        "client_addresses": {
            "input_address": shared.inputs[roster.index],
            "output_address": shared.outputs[roster.index],
        },
        "client_count": roster.count,
        "client_index": roster.index,
    }
    return call(AsyncLLM.from_vllm_config, known)


def _config(arguments: AsyncEngineArgs, count: int, rank: int) -> Any:  # noqa: ANN401
    # Private in vLLM, and how its own command tells a config which front end it is for.
    if hasattr(arguments, "_api_process_count"):
        arguments._api_process_count = count  # noqa: SLF001
        arguments._api_process_rank = rank  # noqa: SLF001
    return arguments.create_engine_config(AS_A_SERVER)
