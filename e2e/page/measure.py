"""`python -m e2e.page.measure`: what an open page costs the operator, with a thousand models."""

import asyncio
import json
import time

from e2e.page.invented import Fleet, Invented, Pod
from qwen_operator.load import read_load
from qwen_operator.page.rows import models, row

COUNT = 1000
_ROUNDS = 9
_LABELS = '{model="m",version="1"}'
_PAGE = "".join(
    f"vllm:{name}{_LABELS} 7\n"
    for name in (
        "num_requests_running",
        "num_requests_waiting",
        "kv_cache_usage_perc",
        "generation_tokens_total",
        "prompt_tokens_total",
    )
)


async def measure() -> None:
    """Print the middle one of several rounds, in the process' own CPU time."""
    serves = Pod((100, 99, 90, 50), tokens=100, running=3, cache=0.5)
    fleet = Fleet(Invented(f"m-{n}", "hf://Qwen/Qwen3-8B", pods=(serves,)) for n in range(COUNT))
    await fleet.play()
    await fleet.play()
    looks, readings, size = [], [], 0
    for _ in range(_ROUNDS):
        began = time.process_time()
        rows = [row(each) for _, each in models(fleet.watched)]
        looked = time.process_time()
        for _ in range(COUNT):
            read_load(_PAGE)
        readings.append(time.process_time() - looked)
        looks.append(looked - began)
        size = len(json.dumps(rows))
    middle = _ROUNDS // 2
    print(f"one look at {COUNT} models: {1000 * sorted(looks)[middle]:.0f} ms")
    print(f"the load of {COUNT} pods out of their pages: {1000 * sorted(readings)[middle]:.0f} ms")
    print(f"what a page gets when it opens: {size / 1000:.0f} kB")


if __name__ == "__main__":
    asyncio.run(measure())
