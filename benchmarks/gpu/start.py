"""One start of vLLM's engine, in this process, by its turn on the GPU.

    python3 -m benchmarks.gpu.start LOCK ARGUMENTS

Imports at once, and waits for LOCK before it touches the GPU: a neighbour's memory would be taken
for its own. Prints vLLM's own log, and a last line of JSON: how many blocks the KV cache has.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path

# What the one before held is given back a little after it has ended.
_GONE_SECONDS = 1.0


def main() -> None:
    """Start, tell, and end without a farewell: everything is written."""
    lock, arguments = sys.argv[1:]
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    from vllm.engine.arg_utils import EngineArgs  # noqa: PLC0415  only where vllm is
    from vllm.usage.usage_lib import UsageContext  # noqa: PLC0415
    from vllm.v1.engine.llm_engine import LLMEngine  # noqa: PLC0415

    with Path(lock).open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        time.sleep(_GONE_SECONDS)
        engine = LLMEngine.from_engine_args(
            EngineArgs(**json.loads(arguments)), usage_context=UsageContext.OPENAI_API_SERVER
        )
        print(json.dumps({"blocks": engine.vllm_config.cache_config.num_gpu_blocks}), flush=True)
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
