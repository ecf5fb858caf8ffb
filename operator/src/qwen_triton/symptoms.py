"""What vLLM, torch, NCCL, the hub and Triton print when something is wrong, and what it means.

The one table of both sides: the backend reads its console with it, and the operator, which carries
a generated copy, the tail of a log where the backend could not leave an account of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Remedy = str | Callable[[re.Match[str]], str]

_COLOUR = re.compile(r"\x1b?\[[0-9;]*m")
_PROGRESS = re.compile(r"(?<!=)\b(?:INFO|DEBUG)\b|^I\d{4} ")
_REFUSED = re.compile(r"validation errors? for \w+$")
_PREFIX = re.compile(
    r"^(?:\([^)]*\)\s*|\[rank\d+\]:\s*|\S+\s+\|\s+)*"
    r"(?:(?:ERROR|WARNING) [\d-]+ [\d:]+ (?:\[[^]]*\]|[\w.]+:\d+\]) ?)?"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a text says.

    Attributes:
        reason: name of one of the operator's reasons.
        message: the first line that says so, without its logger's prefix.
        log_line: the last line that says so, as it was printed.
        suggestion: what to do, where the line itself tells more than the reason does.
    """

    reason: str
    message: str
    log_line: str
    suggestion: str = ""


def telling(lines: Iterable[str]) -> list[str]:
    """Lines that may name a cause: neither empty nor a report of progress."""
    clean = (_COLOUR.sub("", line).strip() for line in lines)
    return [line for line in clean if line and not _PROGRESS.search(line)]


def unprefixed(line: str) -> str:
    """A line without what the logger put before it."""
    return _PREFIX.sub("", line).strip()


def diagnose(lines: Sequence[str]) -> Finding | None:
    """The most specific cause that the lines name, or None.

    Args:
        lines: from `telling`, oldest first.
    """
    for reason, words, remedy in _SYMPTOMS:
        hits = [(n, match) for n, line in enumerate(lines) if (match := words.search(line))]
        if hits:
            (first, match), last = hits[0], hits[-1][0]
            suggestion = remedy if isinstance(remedy, str) else remedy(match)
            return Finding(reason, _whole(lines, first), lines[last], suggestion)
    return None


def _whole(lines: Sequence[str], number: int) -> str:
    """A line for a person; pydantic tells the field and what is wrong in the two that follow."""
    told = unprefixed(lines[number])
    if not _REFUSED.search(told):
        return told
    more = [unprefixed(line).partition(" [type=")[0] for line in lines[number + 1 : number + 3]]
    return ": ".join([told, *(line for line in more if not line.startswith("For further"))])


def _free_share(match: re.Match[str]) -> str:
    free, total = float(match["free"]), float(match["total"])
    share = int(free / total * 100) / 100
    return (
        f"Something else holds {total - free:.1f} of the GPU's {total:.1f} GiB: free it, give the"
        f" pod a GPU of its own, or set spec.engine.gpuMemoryUtilization to {share:.2f} or less."
    )


def _fitting(match: re.Match[str]) -> str:
    fits = match["fits"].replace(",", "")
    return (
        f"Set spec.engine.maxModelLen to {fits} or less, or leave more memory to the cache:"
        " a higher spec.engine.gpuMemoryUtilization (on the CPU spec.engine.cpuKvCacheSpace), more"
        " GPUs with spec.engine.tensorParallelSize, or spec.engine.kvCacheDtype fp8."
    )


def _derived(match: re.Match[str]) -> str:
    return f"The model itself ends at {match['most']} tokens: set spec.engine.maxModelLen to that."


def _divisors(match: re.Match[str]) -> str:
    heads = int(match["heads"])
    fit = ", ".join(str(n) for n in range(1, 17) if heads % n == 0)
    return f"Set spec.engine.tensorParallelSize to a divisor of {heads}: {fit}."


def _gpus(match: re.Match[str]) -> str:
    found = match.groupdict()
    seen = f" The pod sees {found['there']} of {found['asked']}." if "there" in found else ""
    return (
        "spec.engine.tensorParallelSize x spec.engine.pipelineParallelSize must be"
        f" spec.resources.gpus, all of them on one node.{seen}"
    )


def _argument(match: re.Match[str]) -> str:
    return (
        f"Remove {match['name']} from spec.engine.extraArgs, or choose a spec.triton.image whose"
        " vLLM has it."
    )


def _nearest(match: re.Match[str]) -> str:
    return f"Write {match['near']} instead of {match['name']} in spec.engine.extraArgs."


def _quantised(match: re.Match[str]) -> str:
    return (
        f"Remove spec.engine.quantization, or set it to {match['config']}, which the model's own"
        " config.json names."
    )


_SHM = (
    "Raise spec.triton.sharedMemorySize (and spec.resources.memory with it: /dev/shm counts as"
    " memory); Triton needs 64 MiB for a Python model, NCCL up to a few GiB for several GPUs."
)
_DISK = (
    "Give the model room: name a PersistentVolumeClaim that is large enough in spec.model.cache,"
    " or free the node's disk (kubectl describe node)."
)
_CUDA_MEMORY = ""
_SMALLER_BATCH = "Lower spec.engine.maxNumSeqs, or spec.engine.gpuMemoryUtilization by 0.05."
_NO_CACHE = (
    "The weights leave nothing for the cache: raise spec.engine.gpuMemoryUtilization, use more GPUs"
    " (spec.resources.gpus with spec.engine.tensorParallelSize) or a quantised or smaller model, or"
    " lower spec.engine.maxNumSeqs; on the CPU raise spec.engine.cpuKvCacheSpace."
)
_HALF = "Set spec.engine.dtype to float16: this GPU has no bfloat16."
_DRIVER = (
    "Update the NVIDIA driver of the node, or choose an older spec.triton.image whose CUDA this"
    " driver supports."
)
_ARCH = (
    "The image has no kernels for this GPU: schedule to other GPUs with"
    " spec.scheduling.nodeSelector, or choose a spec.triton.image built for it."
)
_NO_GPU = (
    "The container sees no GPU: set spec.resources.gpus, and check that the node runs NVIDIA's"
    " container runtime (spec.scheduling.runtimeClassName) and device plugin."
)
_NO_RAY = (
    "Use vLLM's own processes: set distributed_executor_backend to mp in spec.engine.extraArgs;"
    " the image brings no Ray."
)
_GATED = (
    "The model is gated: ask for access on its page of the hub, and name a Secret with the token of"
    " an account that has it in spec.model.tokenSecretRef."
)
_CREDENTIAL = (
    "The hub does not accept the token: put a valid one with read permission into the Secret that"
    " spec.model.tokenSecretRef names."
)
_RATE = (
    "The hub limits how often it is asked: wait a few minutes, name a token in"
    " spec.model.tokenSecretRef (its limits are higher) and keep the files in spec.model.cache."
)
_NETWORK = (
    "The hub cannot be reached: check DNS, proxy, NetworkPolicy and certificates of the pod, or"
    " serve from a volume (spec.model.source pvc://...)."
)
_HUB_NAME = (
    "Correct the name in spec.model.source; if the repository is private, name a token that may"
    " read it in spec.model.tokenSecretRef."
)
_REVISION = "Correct spec.model.revision: the repository has no such branch, tag or commit."
_DAMAGED = (
    "A file is damaged or incomplete: remove it from the volume or cache (spec.model.cache) and let"
    " it be downloaded again, or copy it anew and compare its size and checksum; a file of a few"
    " hundred bytes is a Git LFS pointer."
)
_MISFIT = "The weights do not fit config.json: both must come from the same model and revision."
_REMOTE_CODE = (
    "The model brings code of its own (trust_remote_code), which this operator does not run: choose"
    " a model whose architecture vLLM knows itself, as all Qwen chat models since Qwen1.5."
)
_NEWER = (
    "Choose a newer spec.triton.image: its vLLM or transformers is older than the model; or check"
    " model_type, architectures and tokenizer_class in the model's configuration."
)
_DTYPE = "Set spec.engine.dtype to one that the message lists, or leave it at auto."
_FIELDS = "Correct the argument that the message names in spec.engine or spec.engine.extraArgs."
_TEMPLATE = "Correct the Jinja template in spec.chat.template, or remove it to use the model's own."
_BATCHED = (
    "Set max_num_batched_tokens in spec.engine.extraArgs to spec.engine.maxModelLen or more, or"
    " lower spec.engine.maxModelLen."
)
_TOKENIZER = (
    "The tokenizer's files are missing: spec.model.source must hold tokenizer.json or vocab.json"
    " and merges.txt, and tokenizer_config.json beside config.json."
)
_GPU_NODE = (
    "The GPU or its driver failed: look for Xid in the node's kernel log, drain the node, reset the"
    " GPU or reboot; keep pods away with spec.scheduling.affinity meanwhile."
)
_KERNEL = (
    "If it happens on one node only, its GPU is at fault (Xid in the kernel log); if everywhere,"
    " try spec.engine.enforceEager true or a newer spec.triton.image."
)

_COMPILER = (
    "vLLM compiles a kernel and the image has no fitting CUDA compiler: use an image that has one"
    " (nvcr.io/nvidia/tritonserver:YY.MM-vllm-python-py3), or set VLLM_USE_FLASHINFER_SAMPLER to 0"
    " in spec.triton.env."
)

# The first that hits wins, most specific first: a cause stands before what follows from it.
_TABLE: tuple[tuple[str, tuple[tuple[str, Remedy], ...]], ...] = (
    (
        "SharedMemoryTooSmall",
        (
            (r"/dev/[s]hm.*(?:No space left|too small|insufficient)", _SHM),
            (r"(?:shared memory|shm|posix_fallocate).*No space left on device", _SHM),
            (r"No space left on device.*(?:/dev/shm|shared memory)", _SHM),
            (r"creating shared memory segment|Unable to initialize shared memory key", _SHM),
            (r"[Ii]ncrease the shared memory size|run(?:s|ning)? out of shared memory", _SHM),
            (r"insufficient shared memory \(shm\)|\bBus error\b|[Ss]ignal \(7\) received", _SHM),
            (r"\bSIGBUS\b|unable to (?:mmap|allocate|open) shared memory", _SHM),
        ),
    ),
    (
        "DiskFull",
        (
            (r"No space left on device|Errno 28\b|\bENOSPC\b", _DISK),
            (r"Not enough free disk space|Disk quota exceeded|os error 28\b", _DISK),
        ),
    ),
    (
        "CudaOutOfMemory",
        (
            (
                (
                    r"[Ff]ree memory on device.*?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\)"
                    r".*less than desired GPU memory utilization"
                ),
                _free_share,
            ),
            (r"out of memory occurred when warming up", _SMALLER_BATCH),
            (r"OutOfMemoryError: (?:CUDA|HIP|GPU)|\b(?:CUDA|HIP) out of memory", _CUDA_MEMORY),
            (r"CUDA error:? out of memory|cudaErrorMemoryAllocation", _CUDA_MEMORY),
            (r"CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED", _CUDA_MEMORY),
            (r"torch(?:\.cuda)?\.OutOfMemoryError|Failed to CUDA malloc", _CUDA_MEMORY),
            (r"less than desired GPU memory utilization", _CUDA_MEMORY),
            (r"Error in memory profiling\. Initial(?: used| free)? memory", _CUDA_MEMORY),
        ),
    ),
    (
        "KVCacheTooSmall",
        (
            (r"estimated maximum model length is (?P<fits>\d[\d,]*)", _fitting),
            (r"tokens that can be stored in KV cache \((?P<fits>\d[\d,]*)\)", _fitting),
            (r"larger than the available KV cache|can be stored in KV cache", ""),
            (r"No available memory for the cache blocks", _NO_CACHE),
            (r"[Nn]ot enough (?:memory|space).*(?:KV|kv) ?[Cc]ache", ""),
        ),
    ),
    (
        "GPUError",
        (
            (
                r"uncorrectable ECC error|fallen off the bus|GPU is lost|GPU has been lost",
                _GPU_NODE,
            ),
            (r"Driver/library version mismatch|\bNVRM: Xid|\bXid \d+|\bXid \(", _GPU_NODE),
            (r"Unable to determine the device handle|NVML: Unknown Error", _GPU_NODE),
            (r"CUDA-capable device\(s\) is/are busy or unavailable|CUDA unknown error", _GPU_NODE),
            (r"Failed to initialize NVML: (?!Driver Not Loaded)", _GPU_NODE),
            (r"hardware stack error|nvlink (?:fatal )?error|fabric manager", _GPU_NODE),
        ),
    ),
    (
        "UnsupportedGPU",
        (
            (r"[Bb]float16 is only supported on GPUs with compute capability", _HALF),
            (r"driver on your system is too old|CUDA driver version is insufficient", _DRIVER),
            (r"unsatisfied condition: cuda|forward compatibility was attempted", _DRIVER),
            (r"provided PTX was compiled with an unsupported toolchain", _DRIVER),
            (r"no kernel image is available|is not compatible with the current PyTorch", _ARCH),
            (r"not supported for the current GPU|Minimum capability: \d+", ""),
            (r"only supported on GPUs with compute capability", ""),
            (r"compute capability (?:below|less than|lower than|>=?|of at least)", ""),
            (r"requires? (?:a )?(?:GPUs? with )?(?:compute capability|SM ?\d|sm_\d)", ""),
            (r"No CUDA GPUs are available|Found no NVIDIA driver|no NVIDIA GPU", _NO_GPU),
            (r"Failed to infer device type|Failed to initialize NVML|libcuda\.so\.1", _NO_GPU),
            (r"no CUDA-capable device is detected|nvmlInit|NVML Shared Library Not Found", _NO_GPU),
        ),
    ),
    (
        "GPUCountMismatch",
        (
            (
                (
                    r"world_size \((?P<asked>\d+)\) is less than (?:than )?max local gpu count"
                    r" \((?P<there>\d+)\)"
                ),
                _gpus,
            ),
            (
                (
                    r"[Ww]orld size \((?P<asked>\d+)\) is larger than the number of available GPUs"
                    r" \((?P<there>\d+)\)"
                ),
                _gpus,
            ),
            (r"number of (?:required|requested) GPUs exceeds|invalid device ordinal", _gpus),
            (r"(?:larger|greater) than the (?:total )?number of available GPUs", _gpus),
            (r"larger than the number of (?:available |visible )?(?:GPUs|devices)", _gpus),
            (r"DP adjusted local rank \d+ is out of bounds|not enough GPUs", _gpus),
            (r"(?:local_)?rank \d+ .*out of (?:bounds|range)|GPUs? but only \d+", _gpus),
        ),
    ),
    (
        "GPUCommunicationFailed",
        (
            (r"NCCL error|NCCL WARN|\bnccl\w*Error\b|DistBackendError", ""),
            (r"ProcessGroupNCCL.*(?:timeout|timed out)|custom_all_reduce.*error", ""),
            (r"Watchdog caught collective operation timeout", ""),
        ),
    ),
    (
        "ModelNotFound",
        (
            (r"RepositoryNotFoundError|Repository Not Found for url", _HUB_NAME),
            (r"is not a valid model identifier|not a local folder and is not a valid", _HUB_NAME),
            (r"RevisionNotFoundError|Revision Not Found|is not a valid git identifier", _REVISION),
            (r"Can't load (?:the )?tokenizer|[Cc]ouldn't find .*tokenizer", _TOKENIZER),
            (r"does not appear to have (?:a|any) files? named .*token", _TOKENIZER),
        ),
    ),
    (
        "ModelDownloadFailed",
        (
            (r"GatedRepoError|gated repo|model \S+ is (?:gated|restricted)", _GATED),
            (
                r"awaiting a review|not in the authorized list|403 (?:Client Error|Forbidden)",
                _GATED,
            ),
            (
                r"Invalid user token|Invalid credentials in Authorization|token .*expired",
                _CREDENTIAL,
            ),
            (r"401 (?:Client Error|Unauthorized)", _CREDENTIAL),
            (r"429 (?:Client Error|Too Many)|Too Many Requests|rate[ -]limit", _RATE),
            (r"LocalEntryNotFoundError|OfflineModeIsEnabled|couldn't connect to", _NETWORK),
            (r"(?:requests|httpx|urllib3)\S*\.(?:Connect|SSL|Proxy|ReadTimeout)\w*", _NETWORK),
            (r"HTTPS?ConnectionPool|Max retries exceeded|CERTIFICATE_VERIFY_FAILED", _NETWORK),
            (r"Temporary failure in name resolution|Name or service not known", _NETWORK),
            (r"Network is unreachable|specific connection error", _NETWORK),
            (r"HfHubHTTPError|\b50[0234] Server Error|Consistency check failed", _NETWORK),
            (r"Data processing error: .*(?:CAS|xet|reqwest)|hf_transfer|IncompleteRead", _NETWORK),
        ),
    ),
    (
        "ModelCorrupt",
        (
            (r"SafetensorError|Error while deserializing header", _DAMAGED),
            (r"(?:Header|header|Metadata)(?:TooLarge|IncompleteBuffer|InvalidHeader)", _DAMAGED),
            (r"header too (?:large|small)|incomplete metadata|invalid load key", _DAMAGED),
            (r"PytorchStreamReader failed|UnpicklingError|failed finding central dir", _DAMAGED),
            (r"is not a valid JSON file|JSONDecodeError|git-lfs\.github\.com", _DAMAGED),
            (r"[Cc]hecksum (?:mismatch|failed)|[Uu]nexpected (?:EOF|end of file)", _DAMAGED),
            (r"Unable to (?:load|parse) weights|corrupt(?:ed)? (?:file|weights|model)", _DAMAGED),
            (r"no module or parameter named|weights were not initialized from", _MISFIT),
            (r"Attempted to load weight|\w+ has wrong shape|cannot be loaded into", _MISFIT),
            (r"loaded_weight\.(?:shape|size)|[Ss]ize mismatch for|shape mismatch", _MISFIT),
        ),
    ),
    (
        "ModelUnsupported",
        (
            (
                r"trust[_-]remote[_-]code|contains custom code|execute the .*file in that",
                _REMOTE_CODE,
            ),
            (r"does not recognize this architecture|Transformers does not recognize", _NEWER),
            (r"[Mm]odel architectures? .*(?:not supported|failed to be inspected)", _NEWER),
            (r"has no vLLM implementation|Tokenizer class \S+ does not exist", _NEWER),
            (r"did not match any variant of untagged enum|[Uu]nsupported model type", _NEWER),
            (r"Unrecognized (?:configuration class|model in)|[Uu]nknown RoPE scaling", _NEWER),
            (r"rope_scaling.*must|ImportError: cannot import name .*transformers", _NEWER),
        ),
    ),
    (
        "ModelNotFound",
        (
            (r"Invalid repository ID or local directory|HFValidationError", ""),
            (r"Cannot find any model weights|does not appear to have (?:a|any) file", ""),
            (r"(?:No such file or directory|FileNotFoundError).*(?:config|safetensors|model)", ""),
            (r"Can't load the (?:configuration|model)|EntryNotFoundError", ""),
            (r"No model weights found|No supported config format found", ""),
        ),
    ),
    (
        "OutOfMemory",
        (
            (r"DefaultCPUAllocator: (?:can't|not enough)|\bMemoryError\b|std::bad_alloc", ""),
            (
                r"Cannot allocate memory|Failed core proc\(s\): \{[^}]*-9\b|[Oo]ut of memory: Kill",
                "",
            ),
            (r"killed by SIGKILL|oom-kill|OOM killer|running low on memory", ""),
        ),
    ),
    (
        "BadEngineArgument",
        (
            (r"unknown engine argument '(?P<name>\w+)'.*did you mean '(?P<near>\w+)'", _nearest),
            (r"unknown engine argument '(?P<name>\w+)'", _argument),
            (r"unexpected keyword argument '(?P<name>[\w-]+)'", _argument),
            (r"unrecognized arguments?: -*(?P<name>[\w-]+)", _argument),
            (
                r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size",
                _divisors,
            ),
            (
                r"greater than the derived max_model_len \(\w+=(?P<most>\d+)",
                _derived,
            ),
            (r"model config \((?P<config>[\w.-]+)\) does not match the quantization", _quantised),
            (r"max_num_batched_tokens \(?\d+\)? is smaller than max_model_len", _BATCHED),
            (r"[Rr]ay is not installed|Cannot import Ray|No module named 'ray'", _NO_RAY),
            (r"does not support (?:b?float16|float32|half)|[Pp]lease use b?float", _DTYPE),
            (r"is not supported for quantization method|Supported dtypes: \[", _DTYPE),
            (
                r"jinja2\S*\.\w*(?:Template|Syntax)\w*Error|[Cc]hat template.*(?:invalid|not)",
                _TEMPLATE,
            ),
            (
                r"Unknown quantization method|[Uu]nknown quantization|Cannot find the config",
                _FIELDS,
            ),
            (r"validation errors? for|derived max_model_len|must be divisible by", _FIELDS),
            (
                r"BadSettings|invalid literal|invalid choice:|Unknown dtype|[Ii]nvalid dtype",
                _FIELDS,
            ),
            (
                r"error: argument -|ValueError: .*(?:must be (?:one of|positive|between|in))",
                _FIELDS,
            ),
        ),
    ),
    (
        "GPUError",
        (
            (r"illegal memory access|device-side assert|unspecified launch failure", _KERNEL),
            (r"misaligned address|illegal instruction was encountered|CUDA error:", _KERNEL),
            (r"CUBLAS_STATUS_(?!ALLOC)\w+|CUDNN_STATUS_\w+|AcceleratorError", _KERNEL),
        ),
    ),
    (
        "EngineDead",
        (
            (r"EngineDeadError|EngineCore encountered an issue|engine loop has died", ""),
            (r"Background loop (?:has errored|is stopped)|Engine core proc .* died", ""),
        ),
    ),
    (
        "StubCrashed",
        (
            (r"[Ss]tub process .*(?:not healthy|unhealthy)", ""),
            (r"[Ff]ailed to initialize (?:\w+ )?stub", ""),
            (r"stub process exited|Signal \(\d+\) received|Segmentation fault|core dumped", ""),
        ),
    ),
    (
        "BadEngineArgument",
        ((r"Value error, \S|pydantic\S*ValidationError|\bargument --?\w", _FIELDS),),
    ),
    (
        "ModelLoadFailed",
        ((r"\bnvcc\b.*(?:not found|fatal)|find nvcc|'nvcc'|ninja: build stopped", _COMPILER),),
    ),
)
_SYMPTOMS: tuple[tuple[str, re.Pattern[str], Remedy], ...] = tuple(
    (reason, re.compile(words), remedy) for reason, group in _TABLE for words, remedy in group
)
REASONS = frozenset(reason for reason, _ in _TABLE)
