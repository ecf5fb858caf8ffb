"""The nearest things that would fit where a plan does not, each one computed, never guessed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from qwen_operator.fit.answer import Answer, answer
from qwen_operator.fit.devices import gpus
from qwen_operator.fit.knowledge import GIB, Scheme, read, scheme_of_name
from qwen_operator.fit.memory import Plan, memory
from qwen_operator.fit.shapes import base_name

_SHORTEST = 1024
"""A context shorter than this is no help."""
_WORTH_IT = 2048
_MUCH_LARGER = 1.2
_MOST_UTILIZATION = 0.95
_MOST_GPUS = 64
_FP8_KV = 8.9
_PROCESS_GIB = 3
"""Main memory of vLLM's and Triton's processes themselves, roughly."""


@dataclass(frozen=True, slots=True)
class Way:
    """One change that makes a plan fit.

    Attributes:
        change: for a person, in the words of the resource's fields.
        answer: what it comes to then.
    """

    change: str
    answer: Answer


def _checkpoints(plan: Plan) -> Iterator[tuple[str, Scheme]]:
    """Names of published quantised checkpoints of a model, with their schemes."""
    known, base = read("models"), base_name(plan.shape.name)
    if plan.shape.scheme is not None or base not in known["models"]:
        return
    suffixes = known["quantised_of"].get(base) or known["quantised"].get(base.split("-")[0], [])
    for suffix in suffixes:
        name = f"{base}{suffix}"
        if (found := scheme_of_name(name)) is not None:
            yield name, found


def _shorter(plan: Plan) -> Iterator[tuple[str, Plan]]:
    longest = answer(plan).longest
    if longest >= _SHORTEST:
        fitting = longest // 256 * 256
        yield f"spec.engine.maxModelLen: {fitting}", replace(plan, max_model_len=fitting)


def _in_main_memory(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Plans near to one on the CPU, whose KV cache is given and not what is left."""
    yield from _shorter(plan)
    found = memory(plan)
    needed = -(-plan.length // plan.block) + plan.vllm.reserved_blocks
    space = max(plan.cache or 0, needed * plan.block * found.token)
    wider = replace(plan, cache=-(-space // GIB) * GIB)
    if wider.cache != plan.cache:
        yield f"spec.engine.cpuKvCacheSpace: {-(-space // GIB)}", wider
    if plan.gpu.memory:
        needed_memory = -(-(found.weights + (wider.cache or 0)) // GIB) + _PROCESS_GIB
        roomy = replace(wider, gpu=replace(plan.gpu, memory=needed_memory * GIB))
        also = f" and cpuKvCacheSpace: {-(-space // GIB)}" if wider.cache != plan.cache else ""
        yield f"spec.resources.memory: {needed_memory}Gi{also}", roomy


def _changes(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Plans near to this one, the smallest change first."""
    if plan.gpu.is_cpu:
        yield from _in_main_memory(plan)
        return
    yield from _shorter(plan)
    if plan.utilization < _MOST_UTILIZATION:
        more = replace(plan, utilization=_MOST_UTILIZATION)
        yield f"spec.engine.gpuMemoryUtilization: {_MOST_UTILIZATION}", more
    if plan.shape.experts and plan.tensor > 1 and not plan.whole_experts:
        whole = replace(plan, whole_experts=True)
        yield "spec.engine.extraArgs: {enable_expert_parallel: true}", whole
    if plan.kv_bytes > 1 and (plan.gpu.capability or 0) >= _FP8_KV:
        yield "spec.engine.kvCacheDtype: fp8", replace(plan, kv_bytes=1)
    for name, scheme in _checkpoints(plan):
        smaller = replace(plan, shape=replace(plan.shape, name=name, scheme=scheme))
        yield f"spec.model.source: hf://Qwen/{name} ({scheme.what})", smaller
    for tensor in (2, 4, 8, 16, 32, _MOST_GPUS):
        if tensor > plan.tensor:
            yield (
                (
                    f"spec.engine.tensorParallelSize: {tensor} and spec.resources.gpus:"
                    f" {tensor * plan.pipeline}"
                ),
                replace(plan, tensor=tensor),
            )
    for each in gpus():
        if each.memory > plan.gpu.memory:
            yield (
                f"a GPU of {each.memory / 2**30:.0f} GiB, such as {each.name}",
                replace(plan, gpu=each),
            )


def _with_less(change: str, near: Plan) -> Way | None:
    """A change that is not enough by itself, together with a shorter context that is worth it."""
    if "maxModelLen" in change or answer(near).longest < _WORTH_IT:
        return None
    also, plan = next(_shorter(near))
    found = answer(plan)
    return Way(f"{change}, with {also}", found) if found.fits else None


def _is_other(plan: Plan, near: Plan) -> bool:
    """Not just a GPU that is hardly larger."""
    grown = near.gpu.memory / max(1, plan.gpu.memory)
    return near.gpu == plan.gpu or grown > _MUCH_LARGER


def ways(plan: Plan) -> list[Way]:
    """What would fit instead: of each kind of change the smallest that does.

    A smaller one that does with a shorter context as well stands beside it.
    """
    found: dict[str, Way] = {}
    for change, near in _changes(plan):
        kind = change.split(":")[0].split(" of ")[0]
        if kind in found:
            continue
        if (new := answer(near)).fits:
            found[kind] = Way(change, new)
        elif (
            f"less {kind}" not in found
            and _is_other(plan, near)
            and (less := _with_less(change, near)) is not None
        ):
            found[f"less {kind}"] = less
    return list(found.values())
