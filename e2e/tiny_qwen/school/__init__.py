"""The school of the tiny Qwen that talks: what it learns, how it learns, how it is examined."""
