"""What fits, as a value and as a screen: the answer of `qwenctl fit`."""

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.answer import Answer, gib
from qwen_operator.fit.logs import printed
from qwen_operator.fit.ways import Way
from qwenctl.output import plain_table


def as_value(found: Answer, near: list[Way], lengths: list[int]) -> dict[str, Any]:
    """The answer for a program."""
    memory, plan = found.memory, found.plan
    return {
        "fits": found.fits,
        "whyNot": list(found.why_not),
        "notes": list(found.notes),
        "model": plan.shape.name,
        "gpu": plan.gpu.name,
        "gpus": plan.gpus,
        "maxModelLen": plan.length,
        "largestMaxModelLen": found.longest,
        "kvCache": {
            "bytes": max(0, memory.kv_cache),
            "bytesPerToken": memory.token,
            "blocks": memory.blocks,
            "tokens": memory.tokens,
        },
        "bytes": {
            "gpu": plan.gpu.memory,
            "share": memory.share,
            "weights": memory.weights,
            "activations": memory.activations,
            "cuda": memory.other,
            "graphs": memory.graphs,
        },
        "concurrency": {str(each): round(found.concurrency(each), 2) for each in lengths},
        "instead": [
            {"change": each.change, "largestMaxModelLen": each.answer.longest} for each in near
        ],
    }


def _division(found: Answer) -> Iterator[tuple[str, str]]:
    """How the memory is divided, a row for each part."""
    memory, plan = found.memory, found.plan
    cache = f"{gib(max(0, memory.kv_cache))}, {memory.tokens} tokens"
    if plan.gpu.is_cpu:
        limit = gib(plan.gpu.memory) if plan.gpu.memory else "(no limit is set)"
        yield "spec.resources.memory", limit
        yield "weights", gib(memory.weights)
        yield "KV cache (cpuKvCacheSpace)", cache
        return
    yield "GPU", gib(plan.gpu.memory)
    yield f"vLLM's share ({plan.utilization:g})", gib(memory.share)
    yield "weights", gib(memory.weights)
    yield "activations", gib(memory.activations)
    yield "CUDA", gib(memory.other)
    yield "CUDA graphs", gib(memory.graphs) if memory.graphs else "0, or outside the share"
    yield "KV cache", cache


def as_screen(found: Answer, near: list[Way], lengths: list[int]) -> Iterator[RenderableType]:
    """The screen."""
    memory, plan = found.memory, found.plan
    word = Text("fits" if found.fits else "does not fit", "green" if found.fits else "red")
    how_many = f"{plan.gpus} x " if plan.gpus > 1 else ""
    yield Text.assemble(f"{plan.shape.name} ", word, f" {how_many}{plan.gpu.name}")
    for each in found.why_not:
        yield f"  {each}"
    for each in found.notes:
        yield f"  note: {each}"
    yield ""
    yield plain_table(["MAIN MEMORY" if plan.gpu.is_cpu else "PER GPU", ""], _division(found))
    yield ""
    yield f"largest maxModelLen: {found.longest} (the model was made for {plan.shape.positions})"
    if memory.blocks:
        held = [(str(each), f"{found.concurrency(each):.1f}") for each in lengths]
        yield plain_table(["TOKENS OF A REQUEST", "REQUESTS AT ONCE"], held)
    if near:
        yield ""
        yield plain_table(
            ["WHAT WOULD FIT", "LARGEST MAXMODELLEN"],
            [(each.change, str(each.answer.longest)) for each in near],
        )


def beside_log(found: Answer, log: str) -> list[tuple[str, str, str, str]]:
    """What was computed beside what vLLM printed: name, both, and how far off."""
    seen, memory = printed(log, found.memory.block), found.memory
    made = []
    for name, computed, told in (
        ("weights", memory.weights, seen.weights),
        ("KV cache", memory.kv_cache, seen.kv_cache),
    ):
        if told is not None:
            off = 100 * (computed - told) / memory.share
            made.append((name, gib(computed), gib(told), f"{off:+.1f} % of the share"))
    if seen.tokens is not None:
        off = 100 * (memory.tokens - seen.tokens) / max(seen.tokens, 1)
        made.append(("tokens", str(memory.tokens), str(seen.tokens), f"{off:+.1f} %"))
    if not made:
        raise InvalidSpec(
            "--against: the log holds none of vLLM's lines on memory, such as 'Available KV cache"
            " memory'; take it from the pod's start"
        )
    return made
