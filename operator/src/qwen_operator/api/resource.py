"""Reading a QwenDeployment: from the API server's JSON to typed values, with errors to act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.errors import InvalidSpec
from qwen_operator.naming import Key, child_name

RESERVED_ARGS = {
    "model": "spec.model.source",
    "tokenizer": "spec.model.source",
    "served_model_name": "spec.model.servedName",
    "revision": "spec.model.revision",
    "tokenizer_revision": "spec.model.revision",
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
    "download_dir": "spec.model.cache",
}
"""Engine arguments that have a field of their own, so that one truth exists."""

REFUSED_ARGS = {
    "trust_remote_code": "it runs code from the model repository inside the pod",
    "worker_cls": "it imports code by name",
    "worker_extension_cls": "it imports code by name",
    "logits_processors": "it imports code by name",
    "allowed_local_media_path": "it lets whoever asks the model read files of the pod",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """One QwenDeployment as the operator works with it."""

    key: Key
    uid: str
    generation: int
    spec: Spec

    @property
    def child(self) -> str:
        """Name of the Deployment and the Service."""
        return child_name(self.key.name)

    @property
    def served_name(self) -> str:
        """The model's name in Triton's URLs."""
        return self.spec.model.served_name or self.key.name


def _place(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in location)


def _refusals(spec: Spec) -> list[str]:
    found = []
    for name in sorted(spec.engine.extra_args):
        where = f"spec.engine.extraArgs.{name}"
        if name in RESERVED_ARGS:
            found.append(f"{where}: set {RESERVED_ARGS[name]} instead")
        elif name in REFUSED_ARGS:
            found.append(f"{where}: refused, since {REFUSED_ARGS[name]}; remove it")
        elif not name.isidentifier():
            found.append(
                f"{where}: not an engine argument's name; write it as AsyncEngineArgs does,"
                " e.g. max_num_batched_tokens"
            )
    return found


def read_resource(body: Mapping[str, Any]) -> Resource:
    """Type one QwenDeployment.

    Raises:
        InvalidSpec: names each field that cannot be, what was given and what is allowed. The API
            server's schema refuses nearly all of it before; this also guards against a resource
            stored under an older schema.
    """
    metadata = body["metadata"]
    try:
        spec = Spec.model_validate(body.get("spec") or {})
    except ValidationError as problem:
        lines = [
            f"spec{_place(each['loc'])}: {each['msg']}, given {each['input']!r:.80}"
            for each in problem.errors(include_url=False)
        ]
        raise InvalidSpec("; ".join(lines)) from problem
    if refused := _refusals(spec):
        raise InvalidSpec("; ".join(refused))
    return Resource(
        key=Key(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        spec=spec,
    )
