"""Every label of the metrics in contract.py, once, with what it says."""

from typing import Final

LABELS: Final[dict[str, str]] = {
    "cause": "bad_request (the client's mistake), unavailable (engine not there or full), failed"
    " (the engine could not), cancelled (the client left)",
    "code": "HTTP status of the answer, 0 for none",
    "finished_reason": "how an answer ended, by vLLM: stop, length, abort, error, repetition",
    "gpu_uuid": "the GPU, as nvidia-smi -L names it",
    "image": "the model pods' image",
    "kind": "kind of the Kubernetes object",
    "model": "the model's name in Triton (spec.model.servedName)",
    "model_name": "the same as model, under vLLM's name for it",
    "name": "the QwenDeployment",
    "namespace": "the QwenDeployment's namespace",
    "outcome": "how it ended",
    "phase": "scheduled, pulled (image and volumes), loaded (weights and engine)",
    "reason": "a reason of docs/troubleshooting.md; of nv_* Triton's own word",
    "source": "spec.model.source",
    "suggestion": "what to do, as the status says it, at most 300 characters",
    "verb": "verb of the Kubernetes API",
    "version": "of the operator; of pods the model's version in Triton",
    "vllm_version": "version of vLLM",
}
"""What each label says, wherever it stands."""
