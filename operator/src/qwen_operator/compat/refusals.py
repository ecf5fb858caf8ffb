"""Engine arguments that spec.engine.extraArgs may not hold, whatever the image's vLLM takes."""

from collections.abc import Callable, Mapping
from typing import Final

RESERVED: Final = {
    "model": "spec.model.source",
    "model_weights": "spec.model.source",
    "tokenizer": "spec.model.source",
    "served_model_name": "spec.model.servedName",
    "revision": "spec.model.revision",
    "tokenizer_revision": "spec.model.revision",
    "download_dir": "spec.model.cache",
    "hf_token": "spec.model.tokenSecretRef",
    "chat_template": "spec.chat.template",
    "tool_call_parser": "spec.chat.toolCallParser",
    "enable_auto_tool_choice": "spec.chat.toolCallParser",
    "reasoning_parser": "spec.chat.reasoningParser",
    "enable_reasoning": "spec.chat.reasoningParser",
    "api_key": "spec.chat.apiKeySecretRef",
    "dtype": "spec.engine.dtype",
    "gpu_memory_utilization": "spec.engine.gpuMemoryUtilization",
    "max_model_len": "spec.engine.maxModelLen",
    "enforce_eager": "spec.engine.enforceEager",
    "tensor_parallel_size": "spec.engine.tensorParallelSize",
    "pipeline_parallel_size": "spec.engine.pipelineParallelSize",
    "quantization": "spec.engine.quantization",
    "kv_cache_dtype": "spec.engine.kvCacheDtype",
    "max_num_seqs": "spec.engine.maxNumSeqs",
    "enable_prefix_caching": "spec.engine.enablePrefixCaching",
    "max_queued_requests": "spec.engine.maxQueuedRequests",
    "max_num_queued_reqs": "spec.engine.maxQueuedRequests",
    "lora_adapters": "spec.engine.loraAdapters",
    "lora_modules": "spec.engine.loraAdapters",
    "enable_lora": "spec.engine.loraAdapters",
    "max_loras": "spec.engine.loraAdapters",
    "max_lora_rank": "spec.engine.maxLoraRank",
    "skip_fit_check": "spec.engine.skipFitCheck",
    "device": "spec.resources.gpus",
    "data_parallel_size": "spec.replicas",
    "data_parallel_size_local": "spec.replicas",
}
"""Arguments that have a field of their own, so that one truth exists."""

_IMPORTS = "it imports code by name"
_ONE_POD = "the engine is one pod's, and pods are spec.replicas"

REFUSED: Final = {
    "worker_cls": _IMPORTS,
    "worker_extension_cls": _IMPORTS,
    "scheduler_cls": _IMPORTS,
    "logits_processors": _IMPORTS,
    "model_class_overrides": _IMPORTS,
    "reasoning_parser_plugin": _IMPORTS,
    "tool_parser_plugin": _IMPORTS,
    "io_processor_plugin": _IMPORTS,
    "logging_config": _IMPORTS,
    "log_config_file": _IMPORTS,
    "code_revision": "spec.model.revision pins the repository's code with its weights",
    "allowed_local_media_path": "it lets whoever asks the model read files of the pod",
    "enable_prompt_embeds": "it lets whoever asks the model have tensors of theirs unpacked",
    "nnodes": _ONE_POD,
    "node_rank": _ONE_POD,
    "master_addr": _ONE_POD,
    "master_port": _ONE_POD,
    "data_parallel_rank": _ONE_POD,
    "data_parallel_start_rank": _ONE_POD,
    "data_parallel_address": _ONE_POD,
    "data_parallel_rpc_port": _ONE_POD,
}
"""Arguments that open the pod, or that no pod of ours could serve with, and why."""


def _is_on(value: object) -> bool:
    return value not in {None, False} if isinstance(value, bool | None) else True


def _is_import(value: object) -> bool:
    """A dotted name, which vLLM imports, where its own words hold no dot."""
    return isinstance(value, str) and "." in value


_VALUES: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "disable_log_stats": (_is_on, "without them :8002 has no metrics of the engine"),
    "skip_tokenizer_init": (_is_on, "the backend needs the tokenizer"),
    "tokens_only": (_is_on, "answers would have no text"),
    "distributed_executor_backend": (_is_import, _IMPORTS),
    "runner": (lambda value: value not in ("auto", "generate"), "pods of ours generate text"),
    "task": (lambda value: value not in (None, "auto", "generate"), "pods of ours generate text"),
    "convert": (lambda value: value not in ("auto", "none"), "pods of ours generate text"),
}
"""Arguments of which some values are refused: which, and why."""

_INSIDE: Final[Mapping[tuple[str, str], Callable[[object], bool]]] = {
    ("kv_transfer_config", "kv_connector_module_path"): _is_on,
    ("ec_transfer_config", "ec_connector_module_path"): _is_on,
    ("compilation_config", "backend"): _is_import,
    ("compilation_config", "inductor_passes"): _is_on,
}
"""Fields of objects that import code by name, and by which values."""

_REMOTE_CODE = "trust_remote_code"


def refusal(name: str, value: object, *, remote_code: bool) -> str | None:
    """Why an argument may not stand in spec.engine.extraArgs; None where it may.

    Args:
        name: as AsyncEngineArgs spells it.
        value: any JSON value.
        remote_code: the administrator allows code of the model repository to run.
    """
    if name in RESERVED:
        return f"set {RESERVED[name]} instead"
    if name in REFUSED:
        return f"refused, since {REFUSED[name]}; remove it"
    if name == _REMOTE_CODE and _is_on(value) and not remote_code:
        return (
            "refused, since it runs code from the model repository inside the pod, which an"
            " administrator has to allow (allowTrustRemoteCode of the chart); Qwen chat models need"
            " none: remove it"
        )
    if not name.isidentifier():
        return (
            "not an engine argument's name; write it as AsyncEngineArgs does, e.g."
            " max_num_batched_tokens"
        )
    return _value_refusal(name, value)


def _value_refusal(name: str, value: object) -> str | None:
    is_wrong, why = _VALUES.get(name, (None, ""))
    if is_wrong is not None and is_wrong(value):
        return f"{value!r:.80} is refused, since {why}; remove it"
    if isinstance(value, Mapping):
        for (holder, field), is_bad in _INSIDE.items():
            if holder == name and field in value and is_bad(value[field]):
                return f"its field {field} is refused, since {_IMPORTS}; remove it"
    return None
