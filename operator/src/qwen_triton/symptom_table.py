"""What vLLM, torch, NCCL, the hub and Triton print when something is wrong: reason and remedy.

The first that hits wins, most specific first: a cause stands before what follows from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_triton.symptom_remedies import (
    ARCH,
    BATCHED,
    COMPILER,
    CREDENTIAL,
    CUDA_MEMORY,
    DAMAGED,
    DISK,
    DRIVER,
    DTYPE,
    FIELDS,
    FOREIGN,
    GATED,
    GPU_NODE,
    HALF,
    HUB_NAME,
    KERNEL,
    LIBRARY,
    MISFIT,
    NETWORK,
    NEWER,
    NO_CACHE,
    NO_GPU,
    NO_RAY,
    RATE,
    REMOTE_CODE,
    REVISION,
    SHM,
    SMALLER_BATCH,
    SPLIT,
    TEMPLATE,
    TOKENIZER,
    UNREADABLE,
    UNWRITABLE,
    argument,
    derived,
    divisors,
    fitting,
    free_share,
    gpus,
    nearest,
    proportional,
    quantised,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    Remedy = str | Callable[[re.Match[str]], str]

TABLE: tuple[tuple[str, tuple[tuple[str, Remedy], ...]], ...] = (
    (
        "SharedMemoryTooSmall",
        (
            (r"/dev/[s]hm.*(?:No space left|too small|insufficient)", SHM),
            (r"(?:shared memory|shm|posix_fallocate).*No space left on device", SHM),
            (r"No space left on device.*(?:/dev/shm|shared memory)", SHM),
            (r"creating shared memory segment|Unable to initialize shared memory key", SHM),
            (r"[Ii]ncrease the shared memory size|run(?:s|ning)? out of shared memory", SHM),
            (r"insufficient shared memory \(shm\)|\bBus error\b|[Ss]ignal \(7\) received", SHM),
            (r"\bSIGBUS\b|unable to (?:mmap|allocate|open) shared memory", SHM),
        ),
    ),
    (
        "DiskFull",
        (
            (r"No space left on device|Errno 28\b|\bENOSPC\b", DISK),
            (r"Not enough free disk space|Disk quota exceeded|os error 28\b", DISK),
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
                free_share,
            ),
            (r"out of memory occurred when warming up", SMALLER_BATCH),
            (r"OutOfMemoryError: (?:CUDA|HIP|GPU)|\b(?:CUDA|HIP) out of memory", CUDA_MEMORY),
            (r"CUDA error:? out of memory|cudaErrorMemoryAllocation", CUDA_MEMORY),
            (r"CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED", CUDA_MEMORY),
            (r"torch(?:\.cuda)?\.OutOfMemoryError|Failed to CUDA malloc", CUDA_MEMORY),
            (r"less than desired GPU memory utilization", CUDA_MEMORY),
            (r"Error in memory profiling\. Initial(?: used| free)? memory", CUDA_MEMORY),
        ),
    ),
    (
        "KVCacheTooSmall",
        (
            (r"estimated maximum model length is (?P<fits>\d[\d,]*)", fitting),
            (r"tokens that can be stored in KV cache \((?P<fits>\d[\d,]*)\)", fitting),
            (
                (
                    r"max seq len \((?P<length>\d+)\), \((?P<need>[\d.]+) GiB KV cache is needed"
                    r".*available KV cache memory \((?P<have>[\d.]+) GiB\)"
                ),
                proportional,
            ),
            (r"larger than the available KV cache|can be stored in KV cache", ""),
            (r"No available memory for the cache blocks", NO_CACHE),
            (r"[Nn]ot enough (?:memory|space).*(?:KV|kv) ?[Cc]ache", ""),
        ),
    ),
    (
        "GPUError",
        (
            (
                r"uncorrectable ECC error|fallen off the bus|GPU is lost|GPU has been lost",
                GPU_NODE,
            ),
            (r"Driver/library version mismatch|\bNVRM: Xid|\bXid \d+|\bXid \(", GPU_NODE),
            (r"Unable to determine the device handle|NVML: Unknown Error", GPU_NODE),
            (r"CUDA-capable device\(s\) is/are busy or unavailable|CUDA unknown error", GPU_NODE),
            (r"Failed to initialize NVML: (?!Driver Not Loaded)", GPU_NODE),
            (r"hardware stack error|nvlink (?:fatal )?error|fabric manager", GPU_NODE),
        ),
    ),
    (
        "UnsupportedGPU",
        (
            (r"[Bb]float16 is only supported on GPUs with compute capability", HALF),
            (r"driver on your system is too old|CUDA driver version is insufficient", DRIVER),
            (r"unsatisfied condition: cuda|forward compatibility was attempted", DRIVER),
            (r"provided PTX was compiled with an unsupported toolchain", DRIVER),
            (r"no kernel image is available|is not compatible with the current PyTorch", ARCH),
            (r"not supported for the current GPU|Minimum capability: \d+", ""),
            (r"only supported on GPUs with compute capability", ""),
            (r"compute capability (?:below|less than|lower than|>=?|of at least)", ""),
            (r"requires? (?:a )?(?:GPUs? with )?(?:compute capability|SM ?\d|sm_\d)", ""),
            (r"No CUDA GPUs are available|Found no NVIDIA driver|no NVIDIA GPU", NO_GPU),
            (r"Failed to infer device type|Failed to initialize NVML|libcuda\.so\.1", NO_GPU),
            (r"no CUDA-capable device is detected|nvmlInit|NVML Shared Library Not Found", NO_GPU),
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
                gpus,
            ),
            (
                (
                    r"[Ww]orld size \((?P<asked>\d+)\) is larger than the number of available GPUs"
                    r" \((?P<there>\d+)\)"
                ),
                gpus,
            ),
            (r"number of (?:required|requested) GPUs exceeds|invalid device ordinal", gpus),
            (r"(?:larger|greater) than the (?:total )?number of available GPUs", gpus),
            (r"larger than the number of (?:available |visible )?(?:GPUs|devices)", gpus),
            (r"DP adjusted local rank \d+ is out of bounds|not enough GPUs", gpus),
            (r"(?:local_)?rank \d+ .*out of (?:bounds|range)|GPUs? but only \d+", gpus),
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
            (r"RepositoryNotFoundError|Repository Not Found for url", HUB_NAME),
            (r"is not a valid model identifier|not a local folder and is not a valid", HUB_NAME),
            (r"RevisionNotFoundError|Revision Not Found|is not a valid git identifier", REVISION),
            (r"Can't load (?:the )?tokenizer|[Cc]ouldn't find .*tokenizer", TOKENIZER),
            (r"does not appear to have (?:a|any) files? named .*token", TOKENIZER),
        ),
    ),
    (
        "ModelDownloadFailed",
        (
            (r"GatedRepoError|gated repo|model \S+ is (?:gated|restricted)", GATED),
            (
                r"awaiting a review|not in the authorized list|403 (?:Client Error|Forbidden)",
                GATED,
            ),
            (
                r"Invalid user token|Invalid credentials in Authorization|token .*expired",
                CREDENTIAL,
            ),
            (r"401 (?:Client Error|Unauthorized)", CREDENTIAL),
            (r"429 (?:Client Error|Too Many)|Too Many Requests|rate[ -]limit", RATE),
            (r"Permission ?(?:Error|denied).*(?:cache|huggingface|hub)", UNWRITABLE),
            (r"LocalEntryNotFoundError|OfflineModeIsEnabled|couldn't connect to", NETWORK),
            (r"(?:requests|httpx|urllib3)\S*\.(?:Connect|SSL|Proxy|ReadTimeout)\w*", NETWORK),
            (r"HTTPS?ConnectionPool|Max retries exceeded|CERTIFICATE_VERIFY_FAILED", NETWORK),
            (r"Temporary failure in name resolution|Name or service not known", NETWORK),
            (r"Network is unreachable|specific connection error", NETWORK),
            (r"HfHubHTTPError|\b50[0234] Server Error|Consistency check failed", NETWORK),
            (r"Data processing error: .*(?:CAS|xet|reqwest)|hf_transfer|IncompleteRead", NETWORK),
        ),
    ),
    (
        "ModelCorrupt",
        (
            (r"SafetensorError|Error while deserializing header", DAMAGED),
            (r"(?:Header|header|Metadata)(?:TooLarge|IncompleteBuffer|InvalidHeader)", DAMAGED),
            (r"header too (?:large|small)|incomplete metadata|invalid load key", DAMAGED),
            (r"PytorchStreamReader failed|UnpicklingError|failed finding central dir", DAMAGED),
            (r"is not a valid JSON file|JSONDecodeError|git-lfs\.github\.com", DAMAGED),
            (r"[Cc]hecksum (?:mismatch|failed)|[Uu]nexpected (?:EOF|end of file)", DAMAGED),
            (r"Unable to (?:load|parse) weights|corrupt(?:ed)? (?:file|weights|model)", DAMAGED),
            (r"KeyError: '[\w.]*layers\.\d+\.|KeyError: 'model\.\w+", FOREIGN),
            (r"no module or parameter named|weights were not initialized from", MISFIT),
            (r"Attempted to load weight|\w+ has wrong shape|cannot be loaded into", MISFIT),
            (r"loaded_weight\.(?:shape|size)|[Ss]ize mismatch for|shape mismatch", MISFIT),
        ),
    ),
    (
        "ModelUnsupported",
        (
            (
                r"trust[_-]remote[_-]code|contains custom code|execute the .*file in that",
                REMOTE_CODE,
            ),
            (r"does not recognize this architecture|Transformers does not recognize", NEWER),
            (r"[Mm]odel architectures? .*(?:not supported|failed to be inspected)", NEWER),
            (r"has no vLLM implementation|Tokenizer class \S+ does not exist", NEWER),
            (r"did not match any variant of untagged enum|[Uu]nsupported model type", NEWER),
            (r"Unrecognized (?:configuration class|model in)|[Uu]nknown RoPE scaling", NEWER),
            (r"rope_scaling.*must|ImportError: cannot import name .*transformers", NEWER),
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
            (r"unknown engine argument '(?P<name>\w+)'.*did you mean '(?P<near>\w+)'", nearest),
            (r"unknown engine argument '(?P<name>\w+)'", argument),
            (r"unexpected keyword argument '(?P<name>[\w-]+)'", argument),
            (r"unrecognized arguments?: -*(?P<name>[\w-]+)", argument),
            (
                r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size",
                divisors,
            ),
            (
                r"greater than the derived max_model_len \(\w+=(?P<most>\d+)",
                derived,
            ),
            (r"model config \((?P<config>[\w.-]+)\) does not match the quantization", quantised),
            (r"not aligned with the quantized weight shape|too large tensor parallel size", SPLIT),
            (r"max_num_batched_tokens \(?\d+\)? is smaller than max_model_len", BATCHED),
            (r"[Rr]ay is not installed|Cannot import Ray|No module named 'ray'", NO_RAY),
            (r"does not support (?:b?float16|float32|half)|[Pp]lease use b?float", DTYPE),
            (r"is not supported for quantization method|Supported dtypes: \[", DTYPE),
            (
                r"jinja2\S*\.\w*(?:Template|Syntax)\w*Error|[Cc]hat template.*(?:invalid|not)",
                TEMPLATE,
            ),
            (
                r"Unknown quantization method|[Uu]nknown quantization|Cannot find the config",
                FIELDS,
            ),
            (r"validation errors? for|derived max_model_len|must be divisible by", FIELDS),
            (
                r"BadSettings|invalid literal|invalid choice:|Unknown dtype|[Ii]nvalid dtype",
                FIELDS,
            ),
            (
                r"error: argument -|ValueError: .*(?:must be (?:one of|positive|between|in))",
                FIELDS,
            ),
        ),
    ),
    (
        "GPUError",
        (
            (r"illegal memory access|device-side assert|unspecified launch failure", KERNEL),
            (r"misaligned address|illegal instruction was encountered|CUDA error:", KERNEL),
            (r"CUBLAS_STATUS_(?!ALLOC)\w+|CUDNN_STATUS_\w+|AcceleratorError", KERNEL),
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
        ((r"Value error, \S|pydantic\S*ValidationError|\bargument --?\w", FIELDS),),
    ),
    (
        "ModelLoadFailed",
        (
            (r"\bnvcc\b.*(?:not found|fatal)|find nvcc|'nvcc'|ninja: build stopped", COMPILER),
            (r"ModuleNotFoundError: No module named", LIBRARY),
            (r"\.so[.\d]*: cannot open shared object file|undefined symbol: ", LIBRARY),
            (r"PermissionError|\[Errno 13\]", UNREADABLE),
        ),
    ),
)
