"""What to do about what `symptom_table` recognises: fixed words, or made from what was printed.

A remedy names the field of the QwenDeployment that mends it; an empty one leaves the reason's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re


def free_share(match: re.Match[str]) -> str:
    """By what share of the GPU is free."""
    free, total = float(match["free"]), float(match["total"])
    share = int(free / total * 100) / 100
    return (
        f"Something else holds {total - free:.1f} of the GPU's {total:.1f} GiB: free it, give the"
        f" pod a GPU of its own, or set spec.engine.gpuMemoryUtilization to {share:.2f} or less."
    )


def fitting(match: re.Match[str]) -> str:
    """By the longest length that fits."""
    return _longest(int(match["fits"].replace(",", "")))


def proportional(match: re.Match[str]) -> str:
    """By the share of the cache that there is: it grows with the length."""
    share = float(match["have"]) / float(match["need"])
    # Both figures are rounded: a little less is sure to fit, in whole blocks.
    return _longest(int(int(match["length"]) * share * 0.99) // 16 * 16)


def _longest(fits: int) -> str:
    return (
        f"Set spec.engine.maxModelLen to {fits} or less, or leave more memory to the cache:"
        " a higher spec.engine.gpuMemoryUtilization (on the CPU spec.engine.cpuKvCacheSpace), more"
        " GPUs with spec.engine.tensorParallelSize, or spec.engine.kvCacheDtype fp8."
    )


def derived(match: re.Match[str]) -> str:
    """By the model's own length."""
    return f"The model itself ends at {match['most']} tokens: set spec.engine.maxModelLen to that."


def divisors(match: re.Match[str]) -> str:
    """By what divides the heads."""
    heads = int(match["heads"])
    fit = ", ".join(str(n) for n in range(1, 17) if heads % n == 0)
    return f"Set spec.engine.tensorParallelSize to a divisor of {heads}: {fit}."


def gpus(match: re.Match[str]) -> str:
    """By how many GPUs there are."""
    found = match.groupdict()
    seen = f" The pod sees {found['there']} of {found['asked']}." if "there" in found else ""
    return (
        "spec.engine.tensorParallelSize x spec.engine.pipelineParallelSize must be"
        f" spec.resources.gpus, all of them on one node.{seen}"
    )


def argument(match: re.Match[str]) -> str:
    """By the name of the argument."""
    return (
        f"Remove {match['name']} from spec.engine.extraArgs, or choose a spec.triton.image whose"
        " vLLM has it."
    )


def nearest(match: re.Match[str]) -> str:
    """By the nearest name."""
    return f"Write {match['near']} instead of {match['name']} in spec.engine.extraArgs."


def quantised(match: re.Match[str]) -> str:
    """By what the model's own file says."""
    return (
        f"Remove spec.engine.quantization, or set it to {match['config']}, which the model's own"
        " config.json names."
    )


SHM = (
    "Raise spec.triton.sharedMemorySize (and spec.resources.memory with it: /dev/shm counts as"
    " memory); Triton needs 64 MiB for a Python model, NCCL up to a few GiB for several GPUs."
)
DISK = (
    "Give the model room: name a PersistentVolumeClaim that is large enough in spec.model.cache,"
    " or free the node's disk (kubectl describe node)."
)
CUDA_MEMORY = ""
SMALLER_BATCH = "Lower spec.engine.maxNumSeqs, or spec.engine.gpuMemoryUtilization by 0.05."
NO_CACHE = (
    "The weights leave nothing for the cache: raise spec.engine.gpuMemoryUtilization, use more GPUs"
    " (spec.resources.gpus with spec.engine.tensorParallelSize) or a quantised or smaller model, or"
    " lower spec.engine.maxNumSeqs; on the CPU raise spec.engine.cpuKvCacheSpace."
)
HALF = "Set spec.engine.dtype to float16: this GPU has no bfloat16."
DRIVER = (
    "Update the NVIDIA driver of the node, or choose an older spec.triton.image whose CUDA this"
    " driver supports."
)
ARCH = (
    "The image has no kernels for this GPU: schedule to other GPUs with"
    " spec.scheduling.nodeSelector, or choose a spec.triton.image built for it."
)
NO_GPU = (
    "The container sees no GPU: set spec.resources.gpus, and check that the node runs NVIDIA's"
    " container runtime (spec.scheduling.runtimeClassName) and device plugin."
)
NO_RAY = (
    "Use vLLM's own processes: set distributed_executor_backend to mp in spec.engine.extraArgs;"
    " the image brings no Ray."
)
GATED = (
    "The model is gated: ask for access on its page of the hub, and name a Secret with the token of"
    " an account that has it in spec.model.tokenSecretRef."
)
CREDENTIAL = (
    "The hub does not accept the token: put a valid one with read permission into the Secret that"
    " spec.model.tokenSecretRef names."
)
RATE = (
    "The hub limits how often it is asked: wait a few minutes, name a token in"
    " spec.model.tokenSecretRef (its limits are higher) and keep the files in spec.model.cache."
)
NETWORK = (
    "The hub cannot be reached: check DNS, proxy, NetworkPolicy and certificates of the pod, or"
    " serve from a volume (spec.model.source pvc://...)."
)
HUB_NAME = (
    "Correct the name in spec.model.source; if the repository is private, name a token that may"
    " read it in spec.model.tokenSecretRef."
)
REVISION = "Correct spec.model.revision: the repository has no such branch, tag or commit."
DAMAGED = (
    "A file is damaged or incomplete: remove it from the volume or cache (spec.model.cache) and let"
    " it be downloaded again, or copy it anew and compare its size and checksum; a file of a few"
    " hundred bytes is a Git LFS pointer."
)
MISFIT = "The weights do not fit config.json: both must come from the same model and revision."
REMOTE_CODE = (
    "The model brings code of its own (trust_remote_code), which this operator does not run: choose"
    " a model whose architecture vLLM knows itself, as all Qwen chat models since Qwen1.5."
)
NEWER = (
    "Choose a newer spec.triton.image: its vLLM or transformers is older than the model; or check"
    " model_type, architectures and tokenizer_class in the model's configuration."
)
DTYPE = "Set spec.engine.dtype to one that the message lists, or leave it at auto."
FIELDS = "Correct the argument that the message names in spec.engine or spec.engine.extraArgs."
TEMPLATE = "Correct the Jinja template in spec.chat.template, or remove it to use the model's own."
BATCHED = (
    "Set max_num_batched_tokens in spec.engine.extraArgs to spec.engine.maxModelLen or more, or"
    " lower spec.engine.maxModelLen."
)
TOKENIZER = (
    "The tokenizer's files are missing: spec.model.source must hold tokenizer.json or vocab.json"
    " and merges.txt, and tokenizer_config.json beside config.json."
)
GPU_NODE = (
    "The GPU or its driver failed: look for Xid in the node's kernel log, drain the node, reset the"
    " GPU or reboot; keep pods away with spec.scheduling.affinity meanwhile."
)
KERNEL = (
    "If it happens on one node only, its GPU is at fault (Xid in the kernel log); if everywhere,"
    " try spec.engine.enforceEager true or a newer spec.triton.image."
)

COMPILER = (
    "vLLM compiles a kernel and the image has no fitting CUDA compiler: use an image that has one"
    " (nvcr.io/nvidia/tritonserver:YY.MM-vllm-python-py3), or set VLLM_USE_FLASHINFER_SAMPLER to 0"
    " in spec.triton.env."
)
SPLIT = (
    "Lower spec.engine.tensorParallelSize (1 always fits), or use a quantised model that was padded"
    " for it: a quantised layer can only be cut at its groups."
)
FOREIGN = (
    "The weights hold what this vLLM has no place for: take another spec.triton.image (a newer"
    " vLLM, or the one that the model's page names), or weights of another quantisation; weights"
    " and config.json must come from the same revision."
)
LIBRARY = (
    "The image lacks a library or a Python package that its vLLM needs: use an image of Triton with"
    " vLLM (nvcr.io/nvidia/tritonserver:YY.MM-vllm-python-py3) in spec.triton.image."
)
UNWRITABLE = (
    "The pod's user 65532 may not write there: give the volume of spec.model.cache to that user or"
    " group (fsGroup is 65532; NFS and hostPath volumes need chown), or use another storage class."
)
UNREADABLE = (
    "The pod's user 65532 may not read or write the path that the message names: change the files'"
    " owner or mode on the volume."
)
