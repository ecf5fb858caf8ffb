"""A Qwen2 model small enough for a test and real enough for vLLM: its answers are nonsense."""
