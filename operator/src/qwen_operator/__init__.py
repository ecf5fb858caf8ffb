"""The control plane of qwen-operator: QwenDeployment resources in, Triton + vLLM pods out."""

__version__ = "0.1.0"
