"""The Triton model repository of one resource: model.json, config.pbtxt and the backend's files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import Resource

WEIGHTS = "/weights"
"""Where a pvc:// source is mounted in the pod."""

ADAPTERS = "/adapters"
"""Below it the claims of adapters that do not lie beside the model."""

Json = dict[str, Any]

_INPUTS = (
    ("prompt", "TYPE_STRING"),
    ("text_input", "TYPE_STRING"),
    ("stream", "TYPE_BOOL"),
    ("sampling_parameters", "TYPE_STRING"),
    ("history", "TYPE_STRING"),
    ("exclude_input_in_output", "TYPE_BOOL"),
    ("return_finish_reason", "TYPE_BOOL"),
    ("return_cumulative_logprob", "TYPE_BOOL"),
    ("return_logprobs", "TYPE_BOOL"),
    ("return_num_input_tokens", "TYPE_BOOL"),
    ("return_num_output_tokens", "TYPE_BOOL"),
    ("return_reasoning", "TYPE_BOOL"),
    ("return_tool_calls", "TYPE_BOOL"),
    ("tools", "TYPE_STRING"),
    ("chat_template_kwargs", "TYPE_STRING"),
)
# -1 where a request for several answers (n > 1) gets one element for each.
_OUTPUTS = (
    ("response", "TYPE_STRING", -1),
    ("text_output", "TYPE_STRING", -1),
    ("finish_reason", "TYPE_STRING", -1),
    ("cumulative_logprob", "TYPE_FP32", -1),
    ("logprobs", "TYPE_STRING", -1),
    ("num_input_tokens", "TYPE_UINT32", 1),
    ("num_output_tokens", "TYPE_UINT32", -1),
    ("reasoning", "TYPE_STRING", -1),
    ("tool_calls", "TYPE_STRING", -1),
)


@dataclass(frozen=True, slots=True)
class Files:
    """What one ConfigMap carries into a model's folder.

    Attributes:
        name: the ConfigMap's, with a digest of its content.
        data: ConfigMap key → content.
        paths: ConfigMap key → path below the model's folder.
        hash: digest of the content.
    """

    name: str
    data: Mapping[str, str]
    paths: Mapping[str, str]
    hash: str


@dataclass(frozen=True, slots=True)
class Repository:
    """The files of one model's repository.

    Attributes:
        own: what is this resource's alone: model.json and config.pbtxt.
        backend: what is the same for all resources.
    """

    own: Files
    backend: Files

    @property
    def hash(self) -> str:
        """Digest of all of it, for `own` carries the backend's: another digest, other pods."""
        return self.own.hash


def model_json(resource: Resource) -> Json:
    """VLLM's engine arguments, as AsyncEngineArgs spells them."""
    engine = resource.spec.engine
    location = model_location(resource.spec.model.source)
    stages = engine.pipeline_parallel_size
    # vLLM's own defaults are left out: what stands in the file is what the user chose.
    optional = {
        "pipeline_parallel_size": None if stages == 1 else stages,
        "kv_cache_dtype": None if engine.kv_cache_dtype == "auto" else engine.kv_cache_dtype,
        "revision": resource.spec.model.revision,
        "max_model_len": engine.max_model_len,
        "quantization": engine.quantization,
        "max_num_seqs": engine.max_num_seqs,
        "enable_prefix_caching": engine.enable_prefix_caching,
        "enable_lora": True if engine.lora_adapters else None,
        # All of them stay on the GPU: a request never waits for another's adapter to leave.
        "max_loras": len(engine.lora_adapters) or None,
        "max_lora_rank": engine.max_lora_rank,
    }
    return {
        "model": location,
        "tokenizer": location,
        "dtype": engine.dtype,
        "gpu_memory_utilization": engine.gpu_memory_utilization,
        "enforce_eager": engine.enforce_eager,
        "tensor_parallel_size": engine.tensor_parallel_size,
        **{name: value for name, value in optional.items() if value is not None},
        **engine.extra_args,
    }


def model_location(source: str) -> str:
    """Where vLLM finds the weights: a hub name, or a folder below the mounted volume."""
    if source.startswith("hf://"):
        return source.removeprefix("hf://")
    _claim, _, path = source.removeprefix("pvc://").partition("/")
    return f"{WEIGHTS}/{path}".rstrip("/")


def adapter_location(resource: Resource, source: str) -> str:
    """Where vLLM finds an adapter: a hub name, or a folder below a mounted volume."""
    claim, _, path = source.removeprefix("pvc://").partition("/")
    if source.startswith("hf://") or claim == claim_of(resource.spec.model.source):
        return model_location(source)
    return f"{ADAPTERS}/{claim}/{path}".rstrip("/")


def claim_of(source: str) -> str | None:
    """The PersistentVolumeClaim of a source; None where it is none."""
    if not source.startswith("pvc://"):
        return None
    return source.removeprefix("pvc://").partition("/")[0]


def adapter_claims(resource: Resource) -> list[str]:
    """Claims that hold adapters and not the model, each once."""
    claims = {claim_of(each.source): None for each in resource.spec.engine.lora_adapters}
    mounted = (None, claim_of(resource.spec.model.source))
    return [claim for claim in claims if claim is not None and claim not in mounted]


def text_literal(value: str) -> str:
    """A string as protobuf's text format quotes it: bytes beyond printable ASCII in octal."""
    quoted = []
    for byte in value.encode():
        char = chr(byte)
        if char in {'"', "\\"}:
            quoted.append(f"\\{char}")
        elif 0x20 <= byte < 0x7F:  # noqa: PLR2004 - the printable range of ASCII
            quoted.append(char)
        else:
            quoted.append(f"\\{byte:03o}")
    return f'"{"".join(quoted)}"'


def _tensor(name: str, kind: str, size: int) -> str:
    return f'name: "{name}", data_type: {kind}, dims: [ {size} ]'


def _block(field: str, rows: Sequence[str]) -> str:
    return f"{field} [\n" + ",\n".join(f"  {{ {row} }}" for row in rows) + "\n]\n"


def config_pbtxt(resource: Resource, parameters: Mapping[str, str]) -> str:
    """Triton's model configuration: decoupled, our settings as parameters."""
    count = resource.spec.triton.instances
    head = (
        f"name: {text_literal(resource.served_name)}\n"
        'backend: "python"\n'
        "max_batch_size: 0\n"
        "model_transaction_policy { decoupled: true }\n"
        # KIND_MODEL: vLLM places itself on the pod's GPUs, Triton must not.
        f"instance_group [ {{ count: {count}, kind: KIND_MODEL }} ]\n"
    )
    entries = "".join(
        f'parameters {{ key: "{name}" value: {{ string_value: {text_literal(value)} }} }}\n'
        for name, value in sorted(parameters.items())
    )
    return (
        head
        + _block("input", [f"{_tensor(*each, 1)}, optional: true" for each in _INPUTS])
        + _block("output", [_tensor(*each) for each in _OUTPUTS])
        + entries
    )


def _parameters(resource: Resource) -> dict[str, str]:
    chat = resource.spec.chat
    made = {
        "system_prompt": chat.system_prompt,
        "health_port": str(naming.BACKEND_PORT),
        "drain_seconds": str(resource.spec.triton.exit_timeout_seconds),
    }
    engine = resource.spec.engine
    adapters = [
        {"name": each.name, "path": adapter_location(resource, each.source)}
        for each in engine.lora_adapters
    ]
    optional = {
        "chat_template": chat.template,
        "tool_call_parser": chat.tool_call_parser,
        "reasoning_parser": chat.reasoning_parser,
        "lora_adapters": json.dumps(adapters) if adapters else None,
        "max_queued_requests": (
            None if engine.max_queued_requests is None else str(engine.max_queued_requests)
        ),
    }
    return made | {name: value for name, value in optional.items() if value is not None}


def backend_files(sources: Mapping[str, str]) -> Files:
    """The package that runs inside Triton, as one ConfigMap for all resources of a namespace.

    Args:
        sources: file name → content; model.py becomes the model's, the rest a package beside it.
    """
    data, paths = {"model.py": sources["model.py"]}, {"model.py": "1/model.py"}
    for name, text in sorted(sources.items()):
        if name != "model.py":
            data[f"qwen_triton.{name}"] = text
            paths[f"qwen_triton.{name}"] = f"1/qwen_triton/{name}"
    content = naming.digest(data)
    return Files(f"{naming.BACKEND_PREFIX}{content}", data, paths, content)


def repository(resource: Resource, backend: Files) -> Repository:
    """Render the repository of one resource.

    Args:
        resource: what to serve.
        backend: from `backend_files`.
    """
    arguments = json.dumps(model_json(resource), indent=2, ensure_ascii=False) + "\n"
    parameters = _parameters(resource)
    content = naming.digest(
        [
            arguments,
            parameters,
            backend.hash,
            resource.served_name,
            resource.spec.triton.instances,
        ]
    )
    config = config_pbtxt(resource, {**parameters, "config_hash": content})
    data = {"config.pbtxt": config, "model.json": arguments}
    paths = {"config.pbtxt": "config.pbtxt", "model.json": "1/model.json"}
    return Repository(Files(f"{resource.child}-{content}", data, paths, content), backend)
