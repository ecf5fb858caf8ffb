"""`spec.engine`: vLLM's engine arguments, which together become model.json."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from qwen_operator.api.base import RULES_KEY, Part, rule, text

MAX_TOKENS_FIELD = 10_000_000


class LoraAdapter(Part):
    """A LoRA adapter that is served beside the model."""

    name: Annotated[
        str,
        text(
            r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
            "an adapter's name holds letters, digits, '.', '_', '-', and a letter or digit first",
            most=128,
        ),
    ]
    """What requests name in lora_name, and the OpenAI endpoint as a model."""

    source: Annotated[
        str,
        text(
            r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
            r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$",
            "an adapter's source is hf://org/name (the Hugging Face hub) or pvc://claim/path (a"
            " folder on a PersistentVolumeClaim)",
            most=512,
        ),
    ]
    """Where it comes from, in PEFT's format: hf://org/name or pvc://claim/path, as
    spec.model.source."""


class Engine(Part):
    """vLLM's engine arguments; together they become model.json."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "!has(self.quantization) || !(self.dtype in ['float', 'float32'])",
                    "spec.engine.quantization goes with half precision: no kernel of vLLM computes"
                    " with quantised weights in float32; set spec.engine.dtype to auto",
                    ".dtype",
                ),
                rule(
                    "!has(self.loraAdapters) || self.loraAdapters.all(a,"
                    " self.loraAdapters.exists_one(b, b.name == a.name))",
                    "spec.engine.loraAdapters: requests find an adapter by its name, so each needs"
                    " one of its own",
                    ".loraAdapters",
                ),
            ]
        }
    )

    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] = "auto"
    """Type of weights and activations; auto takes the one that the weights were saved in."""

    gpu_memory_utilization: Annotated[float, Field(ge=0.05, le=1)] = 0.9
    """Share of a GPU's memory that vLLM may take for weights, activations and KV cache."""

    max_model_len: Annotated[int, Field(ge=1, le=MAX_TOKENS_FIELD)] | None = None
    """Longest prompt plus answer in tokens; what the model's config says when left out."""

    enforce_eager: bool = False
    """Run without CUDA graphs: less memory and a quicker start, slower answers."""

    tensor_parallel_size: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs of one pod that share each layer."""

    pipeline_parallel_size: Annotated[int, Field(ge=1, le=64)] = 1
    """Groups of GPUs of one pod that share the layers among them."""

    quantization: (
        Annotated[
            str,
            text(
                r"^[a-z0-9][a-z0-9_-]*$",
                "spec.engine.quantization is vLLM's own name, such as awq, gptq_marlin or fp8",
                most=64,
            ),
        ]
        | None
    ) = None
    """vLLM's name of the weights' quantisation; found from the model's config when left out."""

    kv_cache_dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2", "bfloat16", "float16"] = "auto"
    """Type of the KV cache; auto is the model's dtype."""

    max_num_seqs: Annotated[int, Field(ge=1, le=16384)] | None = None
    """Most requests that one engine step works on; vLLM's default when left out."""

    max_queued_requests: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Most requests of a pod that wait beyond those that the engine works on at once
    (spec.engine.maxNumSeqs); more are refused at once with 503. Any number waits when left out."""

    lora_adapters: Annotated[tuple[LoraAdapter, ...], Field(max_length=32)] = ()
    """LoRA adapters that requests may name; the model itself is served as well."""

    max_lora_rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] | None = None
    """Highest rank among the adapters; vLLM's default, 16, when left out."""

    enable_prefix_caching: bool | None = None
    """Reuse the KV cache of equal prompt beginnings; vLLM's default when left out."""

    cpu_kv_cache_space: Annotated[int, Field(ge=1, le=1024)] = 1
    """GiB of main memory for the KV cache where no GPU is asked for."""

    skip_fit_check: bool = False
    """Start pods even where the operator computes that the model surely cannot fit
    (status.fit.verdict DoesNotFit)."""

    extra_args: Annotated[dict[str, Any], Field(max_length=128)] = Field(default_factory=dict)
    """Any other AsyncEngineArgs key of the image's vLLM, in its own snake_case spelling."""
