"""Whether a model fits a GPU: pure computation over knowledge kept as data."""
