"""Reading a model pod over HTTP: its :8002 metrics."""
