"""How vLLM divides a GPU's memory, and how many tokens its KV cache then holds.

The formula and where it comes from: docs/fit.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from qwen_operator.fit.devices import Gpu
from qwen_operator.fit.knowledge import GIB, Generation, generation, order, read
from qwen_operator.fit.shapes import Shape
from qwen_operator.fit.weights import kv_heads_of_rank, stage_layers, weight_bytes

_FLOAT32 = 4
_RESERVE = 0.001
"""Of the share: about what starts differ by from what is computed, where nothing is unusual."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A model on GPUs, as vLLM would be started.

    Attributes:
        shape: the model.
        gpu: each of the GPUs.
        tensor: GPUs that share each layer.
        pipeline: groups of GPUs that share the layers.
        utilization: the share of a GPU's memory that vLLM may take.
        dtype_bytes: of activations and of weights that are not quantised.
        kv_bytes: of a number in the KV cache.
        max_model_len: longest prompt plus answer in tokens; None for what the model was made for.
        max_num_seqs: requests in one step; None for vLLM's own default.
        max_num_batched_tokens: tokens in one step; None for vLLM's own default.
        eager: no CUDA graphs.
        vllm: how its version uses memory.
        cache: bytes of KV cache that were given outright; None where it gets what is left.
        block: tokens of a block of the KV cache.
        whole_experts: each GPU holds some experts whole, instead of a share of each.
    """

    shape: Shape
    gpu: Gpu
    tensor: int = 1
    pipeline: int = 1
    utilization: float = 0.9
    dtype_bytes: int = 2
    kv_bytes: int = 2
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    eager: bool = False
    vllm: Generation = field(default_factory=lambda: generation(None))
    cache: int | None = None
    block: int = field(default_factory=lambda: int(read("vllm")["block_tokens"]["gpu"]))
    whole_experts: bool = False

    @property
    def length(self) -> int:
        """The longest request in tokens."""
        return self.max_model_len or self.shape.positions

    @property
    def sequences(self) -> int:
        """Requests in one step."""
        return self.max_num_seqs or int(_defaults(self)["max_num_seqs"])

    @property
    def step(self) -> int:
        """Tokens in one step."""
        return self.max_num_batched_tokens or int(_defaults(self)["max_num_batched_tokens"])

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.tensor * self.pipeline


@dataclass(frozen=True, slots=True)
class Memory:
    """What lies on the fullest GPU, in bytes.

    Attributes:
        share: what vLLM may take.
        weights: of the model.
        activations: at the peak of the profiling run.
        other: CUDA's and NCCL's own, outside PyTorch's pool.
        graphs: CUDA graphs, as far as they are taken from the share.
        graphs_outside: CUDA graphs that are not.
        token: KV cache of one token.
        block: tokens of a block of the KV cache.
        reserved: blocks of it that no request gets.
        cache: KV cache that was given outright; None where it gets what is left.
    """

    share: int
    weights: int
    activations: int
    other: int
    graphs: int
    graphs_outside: int
    token: int
    block: int
    reserved: int
    cache: int | None = None

    @property
    def left(self) -> int:
        """What remains of the share; negative where the rest is already too much."""
        return self.share - self.weights - self.activations - self.other - self.graphs

    @property
    def kv_cache(self) -> int:
        """The KV cache."""
        return self.left if self.cache is None else self.cache

    @property
    def blocks(self) -> int:
        """Blocks of the KV cache."""
        return max(0, self.kv_cache // (self.token * self.block))

    @property
    def tokens(self) -> int:
        """Tokens that the KV cache holds, as vLLM's log counts them."""
        return self.blocks * self.block

    @property
    def usable(self) -> int:
        """Tokens that requests get of it."""
        return self._requests_get(self.kv_cache)

    @property
    def sure(self) -> int:
        """Tokens that requests get of it even if a little less is left than computed."""
        if self.cache is not None:
            return self.usable
        return self._requests_get(self.left - int(self.share * _RESERVE))

    def _requests_get(self, cache: int) -> int:
        blocks = max(0, cache // (self.token * self.block))
        return max(0, blocks - self.reserved) * self.block


def _defaults(plan: Plan) -> Mapping[str, Any]:
    """What vLLM takes on this GPU where nobody says."""
    version = order(plan.vllm.since)
    for each in read("vllm")["engine_defaults"]:
        large = plan.gpu.memory >= each["at_least_gib"] * GIB
        other = "but_not" in each and each["but_not"] in plan.gpu.name
        if order(each["since"]) <= version and large and not other:
            found: Mapping[str, Any] = each
            return found
    raise LookupError("the last row of engine_defaults is for every GPU")


def token_bytes(plan: Plan) -> int:
    """KV cache of one token on one GPU: a key and a value for each layer and head."""
    shape = plan.shape
    heads = kv_heads_of_rank(shape, plan.tensor)
    return 2 * stage_layers(shape, plan.pipeline) * heads * shape.head_dim * plan.kv_bytes


def _forward(plan: Plan) -> int:
    """One layer's activations for a full step, at their widest."""
    shape = plan.shape
    width = 4 * shape.hidden
    if shape.experts:
        routed = 3 * shape.moe_intermediate // plan.tensor + shape.hidden
        width += shape.experts_per_token * routed
        width += 3 * shape.shared_intermediate // plan.tensor
    else:
        width += 3 * shape.intermediate // plan.tensor
    return plan.step * plan.dtype_bytes * width


def _sampler(plan: Plan) -> int:
    """Logits and their copies for as many requests as one step may hold."""
    requests = min(plan.sequences, plan.step)
    return int(plan.vllm.sampler_copies * requests * plan.shape.vocab * _FLOAT32)


def _workspace(plan: Plan) -> int:
    """Between the halves of an experts' layer: two buffers for each token's experts in one step."""
    shape = plan.shape
    if not shape.experts or not plan.vllm.moe_workspace:
        return 0
    width = shape.moe_intermediate // plan.tensor
    numbers = plan.step * shape.experts_per_token * (max(2 * width, shape.hidden) + width)
    return numbers * plan.dtype_bytes


def _in_main_memory(plan: Plan) -> Memory:
    """On the CPU vLLM is told how large the KV cache is, and takes what else it needs."""
    weights = weight_bytes(plan.shape, plan.tensor, plan.pipeline, plan.dtype_bytes)
    cache = plan.cache or 0
    return Memory(
        share=plan.gpu.memory or weights + cache,
        weights=weights,
        activations=0,
        other=0,
        graphs=0,
        graphs_outside=0,
        token=token_bytes(plan),
        block=plan.block,
        reserved=plan.vllm.reserved_blocks,
        cache=cache,
    )


def memory(plan: Plan) -> Memory:
    """Divide the memory of the GPU that has most to hold."""
    if plan.gpu.is_cpu:
        return _in_main_memory(plan)
    known = read("vllm")
    other = known["other_gib"]["one_gpu" if plan.gpus == 1 else "several_gpus"]
    graphs = 0 if plan.eager else plan.vllm.graphs
    inside = graphs if plan.vllm.graphs_in_share else 0
    return Memory(
        share=int(plan.gpu.memory * plan.utilization),
        weights=weight_bytes(plan.shape, plan.tensor, plan.pipeline, plan.dtype_bytes),
        # The sampler runs after the layers: the larger of the two is the peak.
        activations=max(_forward(plan), _sampler(plan) + _workspace(plan)),
        other=int(other * GIB),
        graphs=inside,
        graphs_outside=graphs - inside,
        token=token_bytes(plan),
        block=plan.block,
        reserved=plan.vllm.reserved_blocks,
        cache=plan.cache,
    )


def least(plan: Plan) -> Memory:
    """The same with everything left out that is not known for sure.

    The GPU is as large as it can be, the weights as small, and nothing else takes anything: what
    does not fit here fits nowhere.
    """
    found = memory(plan)
    if plan.gpu.is_cpu:
        return found
    return replace(
        found,
        share=int(plan.gpu.at_most * plan.utilization),
        weights=int(found.weights * (1 - read("vllm")["weights_off_by"])),
        activations=0,
        other=0,
        graphs=0,
        graphs_outside=0,
    )
