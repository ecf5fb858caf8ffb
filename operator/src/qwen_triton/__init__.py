"""The Python backend that runs inside Triton: one vLLM engine behind Triton's and OpenAI's doors.

Nothing here imports the control plane, and nothing at module level imports vllm or torch: Triton's
auto-complete imports the model file in a process of its own.
"""
