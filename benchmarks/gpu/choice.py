"""Which packages and files travel to the GPU machine, and why the others do not.

Pure: it reads the text of `requirements/gpu.txt`, which names everything that vLLM asks for, and
names of files; `pack.py` touches.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch

from benchmarks.gpu.errors import PackError

# Where a GPU machine has PyTorch, it has these: the environment that trained or served with it.
# Protobuf, grpcio, aiohttp and typing-extensions travel all the same: small, and an old one breaks
# generated code or Pydantic.
ON_THE_MACHINE = frozenset(
    {
        "aiohappyeyeballs",
        "aiosignal",
        "annotated-doc",
        "attrs",
        "certifi",
        "charset-normalizer",
        "click",
        "cloudpickle",
        "cuda-bindings",
        "cuda-pathfinder",
        "cuda-toolkit",
        "einops",
        "filelock",
        "frozenlist",
        "fsspec",
        "h11",
        "hf-xet",
        "httpcore",
        "httpx",
        "huggingface-hub",
        "idna",
        "jinja2",
        "llvmlite",
        "markdown-it-py",
        "markupsafe",
        "mdurl",
        "ml-dtypes",
        "mpmath",
        "multidict",
        "mypy-extensions",
        "networkx",
        "ninja",
        "numba",
        "nvidia-cublas",
        "nvidia-cuda-cupti",
        "nvidia-cuda-nvrtc",
        "nvidia-cuda-runtime",
        "nvidia-cudnn-cu13",
        "nvidia-cufft",
        "nvidia-cufile",
        "nvidia-curand",
        "nvidia-cusolver",
        "nvidia-cusparse",
        "nvidia-cusparselt-cu13",
        "nvidia-ml-py",
        "nvidia-nccl-cu13",
        "nvidia-nvjitlink",
        "nvidia-nvshmem-cu13",
        "nvidia-nvtx",
        "opencv-python-headless",
        "packaging",
        "pillow",
        "propcache",
        "psutil",
        "py-cpuinfo",
        "pygments",
        "pyyaml",
        "regex",
        "requests",
        "rich",
        "safetensors",
        "sentencepiece",
        "setuptools",
        "shellingham",
        "six",
        "sympy",
        "tabulate",
        "tiktoken",
        "tokenizers",
        "torch",
        "torchaudio",
        "torchvision",
        "tqdm",
        "transformers",
        "triton",
        "typer",
        "urllib3",
        "uvloop",
        "wrapt",
        "yarl",
        "zipp",
    }
)

_FLASHINFER = "an attention and sampling library: FA3 and PyTorch's sampler serve in its place"
_SM100 = "kernels for GPUs after Hopper, or for attention that Qwen does not have"
_TRACES = "exports traces; nobody collects any here"
_CLOUD = "FastAPI's command line and cloud client; nothing serves through it"
_PYTRITON = "asked for by PyTriton's Python API; only its binaries are used"
# Name: why it stays behind. vLLM imports none of these on the way to an answer of a Qwen.
LEFT_OUT = {
    "flashinfer-cubin": _FLASHINFER,
    "flashinfer-python": _FLASHINFER,
    "cuda-tile": _FLASHINFER,
    "nvidia-cudnn-frontend": _FLASHINFER,
    "cuda-core": _SM100,
    "cuda-python": _SM100,
    "humming-kernels": _SM100,
    "nvidia-cuda-cccl": _SM100,
    "nvidia-cuda-crt": _SM100,
    "nvidia-cuda-nvcc": _SM100,
    "nvidia-cuda-tileiras": _SM100,
    "nvidia-cutlass-dsl": _SM100,
    "nvidia-cutlass-dsl-libs-base": _SM100,
    "nvidia-cutlass-dsl-libs-cu13": _SM100,
    "nvidia-nvvm": _SM100,
    "pyelftools": _SM100,
    "quack-kernels": _SM100,
    "tilelang": _SM100,
    "tokenspeed-mla": _SM100,
    "tokenspeed-triton": _SM100,
    "torch-c-dlpack-ext": _SM100,
    "z3-solver": _SM100,
    "googleapis-common-protos": _TRACES,
    "opentelemetry-exporter-http-transport": _TRACES,
    "opentelemetry-exporter-otlp": _TRACES,
    "opentelemetry-exporter-otlp-common": _TRACES,
    "opentelemetry-exporter-otlp-proto-common": _TRACES,
    "opentelemetry-exporter-otlp-proto-grpc": _TRACES,
    "opentelemetry-exporter-otlp-proto-http": _TRACES,
    "opentelemetry-proto": _TRACES,
    "opentelemetry-semantic-conventions-ai": _TRACES,
    "agent-detector": _CLOUD,
    "detect-installer": _CLOUD,
    "dnspython": _CLOUD,
    "email-validator": _CLOUD,
    "fastapi-cli": _CLOUD,
    "fastapi-cloud-cli": _CLOUD,
    "fastar": _CLOUD,
    "rich-toolkit": _CLOUD,
    "rignore": _CLOUD,
    "sentry-sdk": _CLOUD,
    "importlib-metadata": _PYTRITON,
    "lazy-importer": _PYTRITON,
    "sh": _PYTRITON,
    "typing-inspect": _PYTRITON,
    "fastsafetensors": "reads weights straight into the GPU; the benchmark's weights are random",
}

# The wheel whose binaries are laid out as Triton, instead of as a package.
TRITON_WHEEL = "nvidia-pytriton"

# Pattern of a path below site/ (a star crosses slashes): why it stays behind.
PRUNED = {
    "bin/*": "console scripts that name the packing machine's Python",
    "*/__pycache__/*": "made anew where it runs",
    "*/tests/*": "the wheels' own tests",
    "*.pyi": "types, for editors",
    "*.a": "to link against",
    "mistral_common/data/*": "Mistral's vocabularies",
    "pycountry/locales/*": "names of countries in other languages",
    "vllm/vllm-rs": "the front end in Rust, which is off unless asked for",
    "vllm/vllm_flash_attn/_vllm_fa2_C*": "FA2, for GPUs before Hopper",
    "vllm/third_party/deep_gemm/*": "FP8 kernels that compile themselves; bf16 needs none",
    "vllm/third_party/fmha_sm100/*": _SM100,
    "vllm/_qutlass_C*": _SM100,
    "vllm/entrypoints/serve/instrumentator/static/*": "pages for a browser",
}

# Libraries that bring their debug sections, four fifths of their size.
WITH_DEBUG_SECTIONS = ("xgrammar/*.so", "rapidjson*.so")

_NAME = re.compile(r"^([A-Za-z0-9._-]+)==\S+", re.MULTILINE)


def requirements(lock: str) -> dict[str, str]:
    """The entries of a compiled requirements file by name, each with its hashes.

    Raises:
        PackError: The text holds no exact requirement.
    """
    starts = list(_NAME.finditer(lock))
    if not starts:
        raise PackError("the lock names no package as name==version: compile it with `make lock`")
    ends = [*(start.start() for start in starts[1:]), len(lock)]
    return {
        start[1].lower(): lock[start.start() : end] for start, end in zip(starts, ends, strict=True)
    }


def travelling(lock: str) -> str:
    """Requirements, with hashes, of the packages that travel as packages."""
    staying = ON_THE_MACHINE | LEFT_OUT.keys() | {TRITON_WHEEL}
    return "".join(text for name, text in requirements(lock).items() if name not in staying)


def is_pruned(path: str) -> bool:
    """Whether a file, by its path below site/ with slashes, stays behind."""
    return any(fnmatch(path, pattern) for pattern in PRUNED)
