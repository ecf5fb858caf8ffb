"""The answer to one plan: does it fit, how long may a request be, and if not, why."""

from dataclasses import dataclass

from qwen_operator.fit.knowledge import GIB
from qwen_operator.fit.memory import Memory, Plan, least, memory

_BFLOAT16 = 8.0
"""Compute capability with bfloat16; below it vLLM takes float16 for dtype auto."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plan comes to.

    Attributes:
        plan: what was asked.
        memory: how the fullest GPU is divided.
        why_not: why vLLM would not start; empty where it fits.
        notes: what a person should know although it fits.
    """

    plan: Plan
    memory: Memory
    why_not: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """VLLM would start with it."""
        return not self.why_not

    @property
    def longest(self) -> int:
        """The largest maxModelLen that would fit for sure; 0 where none would."""
        return min(self.memory.sure, self.plan.shape.positions)

    def concurrency(self, length: int) -> float:
        """How many requests of a length in tokens the KV cache holds at once."""
        blocks = -(-length // self.memory.block)
        return self.memory.usable / self.memory.block / blocks


def gib(size: int) -> str:
    """Bytes for a person."""
    return f"{size / GIB:.2f} GiB"


def _counts(plan: Plan) -> list[str]:
    """What vLLM refuses in every version, whatever the memory."""
    shape, tensor = plan.shape, plan.tensor
    if shape.heads % tensor:
        fitting = [each for each in range(1, 65) if shape.heads % each == 0]
        return [
            (
                f"{shape.heads} attention heads cannot be shared by tensorParallelSize {tensor};"
                f" it must be one of {', '.join(map(str, fitting))}"
            )
        ]
    if plan.pipeline > shape.layers:
        return [f"{shape.layers} layers cannot make pipelineParallelSize {plan.pipeline}"]
    return []


def _alignment(plan: Plan) -> list[str]:
    """What vLLM's kernels refuse whatever the memory."""
    found = []
    shape, tensor = plan.shape, plan.tensor
    if shape.kv_heads % tensor and tensor % shape.kv_heads:
        found.append(
            f"{shape.kv_heads} key/value heads cannot be shared by tensorParallelSize {tensor}"
        )
    width, scheme = shape.moe_intermediate or shape.intermediate, shape.scheme
    if plan.whole_experts:
        return found
    quantised = scheme is not None and scheme.bits < 8  # noqa: PLR2004 - bits of a byte
    share = width // tensor
    told = f"an MLP of width {width} cannot be shared by tensorParallelSize {tensor}"
    if width % tensor:
        found.append(told)
    elif scheme is not None and quantised and share % min(scheme.group, 128):
        found.append(f"{told} with weights quantised in groups of {scheme.group}")
    elif scheme is not None and shape.experts and share % scheme.block:
        found.append(
            f"{told} with weights quantised in blocks of {scheme.block}: set"
            " spec.engine.extraArgs.enable_expert_parallel to true, which leaves experts whole"
        )
    return found


def _capability(plan: Plan) -> list[str]:
    scheme, able = plan.shape.scheme, plan.gpu.capability
    if scheme is None or able is None or able >= scheme.capability:
        return []
    return [
        (
            f"{scheme.what} need compute capability {scheme.capability:g}, and {plan.gpu.name} has"
            f" {able:g}"
        )
    ]


def _too_long(plan: Plan, found: Memory) -> list[str]:
    if found.sure >= plan.length:
        return []
    where = "of main memory" if plan.gpu.is_cpu else "on each GPU"
    given = "are given (spec.engine.cpuKvCacheSpace)" if plan.gpu.is_cpu else "is left"
    if plan.cache is not None and not plan.gpu.is_cpu:
        given = "is given (kv_cache_memory_bytes)"
    holds = f"which holds {found.usable} tokens"
    if found.usable >= plan.length:
        holds = f"too near to be sure: {found.sure} tokens are"
    return [
        (
            f"maxModelLen {plan.length} needs {gib(plan.length * found.token)} of KV cache {where}"
            f" and {gib(found.kv_cache)} {given}, {holds}"
        )
    ]


def _room(plan: Plan, found: Memory) -> list[str]:
    if plan.gpu.is_cpu:
        needed = found.weights + found.kv_cache
        if plan.gpu.memory and needed > plan.gpu.memory:
            words = (
                f"weights ({gib(found.weights)}) and KV cache ({gib(found.kv_cache)}) are more than"
                f" spec.resources.memory ({gib(plan.gpu.memory)})"
            )
            return [words, *_too_long(plan, found)]
        return _too_long(plan, found)
    if found.left <= 0 or (plan.cache or 0) > found.left:
        cuda = gib(found.other + found.graphs)
        rest = "nothing is" if found.left <= 0 else f"{gib(found.left)} is"
        told = (
            f"weights ({gib(found.weights)}), activations ({gib(found.activations)}) and what"
            f" CUDA takes ({cuda}) are more than vLLM's share of {gib(found.share)}: {rest}"
            " left for the KV cache"
        )
        return [told]
    return _too_long(plan, found)


def _notes(plan: Plan, found: Memory) -> list[str]:
    said = []
    if plan.max_model_len is not None and plan.max_model_len > plan.shape.positions:
        said.append(
            f"maxModelLen {plan.max_model_len} is beyond what the model was made for"
            f" ({plan.shape.positions}): vLLM refuses it unless rope scaling is configured"
        )
    if plan.gpu.is_cpu:
        return said
    rest = plan.gpu.memory - found.share
    outside = found.graphs_outside
    if outside > rest:
        said.append(
            f"CUDA graphs take about {gib(outside)} beyond vLLM's share, and"
            f" {gib(rest)} is left: lower gpuMemoryUtilization or set enforceEager"
        )
    able = plan.gpu.capability
    if able is not None and able < _BFLOAT16:
        said.append(f"{plan.gpu.name} computes no bfloat16: dtype auto becomes float16")
    return said


def answer(plan: Plan) -> Answer:
    """Compute the answer to a plan."""
    impossible = _counts(plan) or _alignment(plan) + _capability(plan)
    found = memory(plan)
    why_not = impossible or _room(plan, found)
    return Answer(plan, found, tuple(why_not), tuple(_notes(plan, found)))


def surely_not(plan: Plan) -> bool:
    """It would not start even if everything that is not known for sure were in its favour."""
    found = least(plan)
    # On the CPU, memory that a KV cache is promised need not be taken before it is used.
    on_cpu = 0 < plan.gpu.memory < found.weights
    too_small = on_cpu if plan.gpu.is_cpu else found.left <= 0
    return bool(_counts(plan)) or too_small or found.usable < plan.length
