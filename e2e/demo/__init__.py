"""From nothing to an answer: what `make demo` does."""
