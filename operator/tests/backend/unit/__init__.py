"""Of the modules that need neither Triton nor vLLM."""
