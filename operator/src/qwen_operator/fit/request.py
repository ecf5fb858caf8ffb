"""From a resource's spec to a plan: which of its fields memory depends on."""

from dataclasses import replace
from typing import Any

from qwen_operator.api.quantities import amount
from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.devices import Gpu
from qwen_operator.fit.knowledge import GIB, generation, read, scheme
from qwen_operator.fit.memory import Plan
from qwen_operator.fit.shapes import Shape, named

_FLOAT32 = {"float", "float32"}
COMPUTED = (
    "block_size",
    "enable_expert_parallel",
    "kv_cache_memory_bytes",
    "max_num_batched_tokens",
)
"""Arguments of spec.engine.extraArgs whose effect is computed."""


def shape_of(spec: Spec) -> Shape:
    """The shape of the model that a spec names.

    Raises:
        InvalidSpec: it does not lie on the hub, or is not in the table.
    """
    source = spec.model.source
    if not source.startswith("hf://"):
        raise InvalidSpec(
            f"spec.model.source {source} does not tell which model it is; give its config.json with"
            " --config PATH"
        )
    return named(source.removeprefix("hf://"))


def _count(arguments: dict[str, Any], name: str) -> dict[str, int]:
    given = arguments.get(name)
    if given is None:
        return {}
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise InvalidSpec(f"spec.engine.extraArgs.{name} is {given!r}; a whole number is needed")
    return {name: given}


def main_memory(spec: Spec) -> Gpu:
    """What takes the GPU's place where there is none: the pod's main memory."""
    limit = spec.resources.memory
    return Gpu("the CPU", 0 if limit is None else int(amount(limit) or 0), is_cpu=True)


def _cache(spec: Spec) -> int | None:
    """Bytes of KV cache that the spec gives outright."""
    if spec.resources.gpus == 0:
        return spec.engine.cpu_kv_cache_space * GIB
    return _count(spec.engine.extra_args, "kv_cache_memory_bytes").get("kv_cache_memory_bytes")


def _block(spec: Spec) -> int:
    usual = read("vllm")["block_tokens"]["gpu" if spec.resources.gpus else "cpu"]
    return _count(spec.engine.extra_args, "block_size").get("block_size", int(usual))


def plan_of(spec: Spec, shape: Shape, gpu: Gpu, version: str | None) -> Plan:
    """The plan that a spec asks for.

    Args:
        spec: of the resource.
        shape: of its model.
        gpu: that its pods would get; `main_memory` takes its place where they get none.
        version: of vLLM in the image, where it is known.

    Raises:
        InvalidSpec: a field that memory depends on holds what is not understood.
    """
    engine = spec.engine
    if gpu.is_cpu != (spec.resources.gpus == 0):
        raise InvalidSpec(
            "spec.resources.gpus is 0: on the CPU the KV cache takes spec.engine.cpuKvCacheSpace"
            " GiB of main memory, and there is no GPU to fit"
        )
    if engine.quantization is not None and shape.scheme is None:
        shape = replace(shape, scheme=scheme(engine.quantization))
    width = 4 if engine.dtype in _FLOAT32 else 2
    cache = 1 if engine.kv_cache_dtype.startswith("fp8") else width
    chosen = {} if engine.max_num_seqs is None else {"max_num_seqs": engine.max_num_seqs}
    return Plan(
        shape=shape,
        gpu=gpu,
        tensor=engine.tensor_parallel_size,
        pipeline=engine.pipeline_parallel_size,
        utilization=engine.gpu_memory_utilization,
        dtype_bytes=width,
        kv_bytes=2 if engine.kv_cache_dtype in {"bfloat16", "float16"} else cache,
        max_model_len=engine.max_model_len,
        eager=engine.enforce_eager,
        vllm=generation(version),
        cache=_cache(spec),
        block=_block(spec),
        whole_experts=engine.extra_args.get("enable_expert_parallel") is True,
        **chosen,
        **_count(engine.extra_args, "max_num_batched_tokens"),
    )
