"""The backend with other vLLMs: run where there is an engine for CPUs, read elsewhere."""
