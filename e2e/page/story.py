"""The fleet of the pictures: every state at once, with words that the operator would say."""

from e2e.page.invented import Invented, Pod
from qwen_operator.naming import child_name

_STARTUP = {"scheduledSeconds": 1, "pulledSeconds": 38, "loadedSeconds": 94}


def _serving(*loads: tuple[float, int, int, float]) -> tuple[Pod, ...]:
    """Pods that serve: tokens a second, running, waiting, share of the KV cache each."""
    return tuple(
        Pod((90000, 89999, 89961, 89867), tokens, running, waiting, cache)
        for tokens, running, waiting, cache in loads
    )


STORY = (
    Invented(
        "qwen3-32b",
        "hf://Qwen/Qwen3-32B",
        pods=_serving((1840, 22, 0, 0.61), (1795, 24, 3, 0.93)),
        gpus=2,
        wanted=2,
        spec={"engine": {"loraAdapters": [{"name": "support-tone"}, {"name": "sql"}]}},
        status={"startup": {"pod": "qwen3-32b-7d9f5c-00001", **_STARTUP}},
    ),
    Invented(
        "qwen3-8b",
        "hf://Qwen/Qwen3-8B",
        pods=_serving((2610, 31, 0, 0.42), (2480, 29, 0, 0.38), (2533, 30, 0, 0.4)),
        wanted=3,
        status={"startup": {"pod": "qwen3-8b-7d9f5c-00002", **_STARTUP}},
    ),
    Invented(
        "qwen-1-8b-chat",
        "hf://Qwen/Qwen1.5-1.8B-Chat",
        pods=_serving((509, 1, 0, 0.02)),
        spec={
            "model": {
                "source": "hf://Qwen/Qwen1.5-1.8B-Chat",
                "servedName": "vllm_qwen1.5-1.8b-chat",
            }
        },
    ),
    Invented(
        "qwen2.5-coder-14b",
        "hf://Qwen/Qwen2.5-Coder-14B-Instruct",
        namespace="coding",
        pods=_serving((1210, 12, 0, 0.27)),
        spec={"chat": {"apiKeySecretRef": {"name": "coder-key"}}},
    ),
    Invented(
        "qwen2.5-72b-awq",
        "hf://Qwen/Qwen2.5-72B-Instruct-AWQ",
        "KVCacheTooSmall",
        "vLLM has 2.37 GiB for the KV cache and one request of maxModelLen 32768 needs 10.0 GiB",
        since=780,
        gpus=1,
        pods=(Pod((780, 779, 741)),),
        status={
            "failure": {
                "reason": "KVCacheTooSmall",
                "pod": f"{child_name('qwen2.5-72b-awq')}-7d9f5c-00000",
                "message": "vLLM has 2.37 GiB for the KV cache and one request of maxModelLen 32768"
                " needs 10.0 GiB",
                "logLine": "ValueError: To serve at least one request with the models's max seq len"
                " (32768), 10.00 GiB KV cache is needed, which is larger than the available KV"
                " cache memory (2.37 GiB).",
                "suggestion": "Set spec.engine.maxModelLen to 7760 or less, or use two GPUs"
                " (spec.resources.gpus and spec.engine.tensorParallelSize).",
            }
        },
    ),
    Invented(
        "qwen3-coder-30b",
        "hf://Qwen/Qwen3-Coder-30B-A3B-Instruct",
        "WaitingForGPU",
        "0/7 nodes are available: 7 Insufficient nvidia.com/gpu.",
        since=2520,
        namespace="coding",
        gpus=4,
        pods=(Pod((2520,)),),
    ),
    Invented(
        "qwen3-235b",
        "pvc://weights/Qwen3-235B-A22B",
        "ModelLoading",
        "1 pod is starting",
        since=205,
        namespace="research",
        gpus=8,
        pods=(Pod((205, 203, 141), told={"downloading": 128, "loading": 37}),),
    ),
    Invented(
        "qwen2.5-vl-7b",
        "hf://Qwen/Qwen2.5-VL-7B-Instruct",
        "ScaledToZero",
        "spec.replicas is 0: no pod runs",
        since=86400 * 3,
        namespace="research",
        wanted=0,
    ),
)

ANSWER = (
    "A Kubernetes operator is a controller that knows one application well. You write down what"
    " you want as a resource, it compares that with what runs, and changes the difference:\n\n"
    "```yaml\nkind: QwenDeployment\nspec:\n  model:\n    source: hf://Qwen/Qwen3-32B\n```\n\n"
    "It goes on doing so, which is why a pod that dies comes back without you."
)
