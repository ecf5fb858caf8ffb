"""The two things that our doors are held against beside vLLM's server, each run by itself.

`engine`: vLLM's engine in one process, with no server around it. `transformers`: generate() on a
whole batch. Runs where vLLM or transformers is: python -m benchmarks.serving.limits WHAT PLAN OUT,
and begins when OUT has a neighbour whose name ends in .go.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwenctl.bench.load import WARM_TURNS, Level, measured
from qwenctl.bench.prompts import prompt
from qwenctl.bench.samples import Figures, Sample, figures

if TYPE_CHECKING:
    from collections.abc import Callable


async def measure_engine(
    engine: dict[str, Any], levels: list[Level], begin: Callable[[], None]
) -> list[Figures]:
    """The engine's own speed: the load of a level in its own process."""
    from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: PLC0415  only where vllm is
    from vllm.usage.usage_lib import UsageContext  # noqa: PLC0415
    from vllm.v1.engine.async_llm import AsyncLLM  # noqa: PLC0415

    llm = AsyncLLM.from_engine_args(
        AsyncEngineArgs(**engine), usage_context=UsageContext.OPENAI_API_SERVER
    )
    begin()
    found = []
    for level in levels:
        before = time.process_time()
        streams = [_engine_stream(llm, level, number) for number in range(level.streams)]
        samples = [sample for part in await asyncio.gather(*streams) for sample in part]
        share = measured(level, len(samples))
        cpu = {"server": (time.process_time() - before) * share}
        found.append(figures(samples, level.streams, level.tokens, cpu))
    llm.shutdown()
    return found


async def _engine_stream(llm: Any, level: Level, number: int) -> list[Sample]:  # noqa: ANN401
    from vllm import SamplingParams  # noqa: PLC0415
    from vllm.sampling_params import RequestOutputKind  # noqa: PLC0415

    params = SamplingParams(
        max_tokens=level.tokens,
        ignore_eos=True,
        temperature=1.0,
        output_kind=RequestOutputKind.DELTA,
    )
    samples: list[Sample] = []
    ends = time.monotonic() + level.seconds
    while len(samples) < level.turns + WARM_TURNS or time.monotonic() < ends:
        turn = len(samples)
        text = prompt(number, turn, level.streams)
        sample = Sample(time.monotonic())
        name = f"{level.streams}-{number}-{turn}"
        async for _ in llm.generate(text, params, name):
            sample.at.append(time.monotonic())
        samples.append(sample)
    return samples[WARM_TURNS:]


def measure_transformers(
    engine: dict[str, Any], levels: list[Level], begin: Callable[[], None]
) -> list[Figures]:
    """The speed of generate() over one batch a turn: every answer comes at the end of it.

    Its model is made only when it is its turn: it would lie beside those of the others.
    """
    begin()
    import torch  # noqa: PLC0415  only where transformers is
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    config = AutoConfig.from_pretrained(engine["model"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(
        str(engine.get("dtype")), torch.float32
    )
    with torch.device(device):
        torch.set_default_dtype(kind)
        model: Any = AutoModelForCausalLM.from_config(config)
        torch.set_default_dtype(torch.float32)
    words = AutoTokenizer.from_pretrained(engine["model"], padding_side="left")
    found = []
    for level in levels:
        samples: list[Sample] = []
        before = time.process_time()
        for turn in range(level.turns):
            texts = [prompt(number, turn, level.streams) for number in range(level.streams)]
            inputs = words(texts, return_tensors="pt", padding=True).to(device)
            batch = Sample(time.monotonic())
            model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                min_new_tokens=level.tokens,
                max_new_tokens=level.tokens,
                do_sample=True,
                pad_token_id=words.pad_token_id,
            )
            batch.at.append(time.monotonic())
            samples += [batch] * level.streams
        cpu = {"server": time.process_time() - before}
        found.append(figures(samples, level.streams, level.tokens, cpu))
    return found


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.1)


def main() -> None:
    """Measure what the first word names by the plan of the second; write to the third."""
    what, plan, out = sys.argv[1:]
    given = json.loads(plan)
    levels = [Level(**level) for level in given["levels"]]
    begin = partial(_wait_for, Path(out).with_suffix(".go"))
    if what == "engine":
        found = asyncio.run(measure_engine(given["engine"], levels, begin))
    else:
        found = measure_transformers(given["engine"], levels, begin)
    Path(out).write_text(json.dumps([asdict(each) for each in found]))
    sys.stdout.flush()
    # An engine's process can keep its parent's exit waiting; everything is written.
    os._exit(0)


if __name__ == "__main__":
    main()
