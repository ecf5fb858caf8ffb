"""How Triton is started with our backend, outside of the operator's pods (desired/pod.py)."""

from __future__ import annotations

FLAGS = (
    "--model-control-mode=explicit",
    # Auto-complete would import model.py in one more process.
    "--disable-auto-complete-config",
    # Responses of an instance come one after another: 31 more threads only take turns.
    "--backend-config=python,thread-pool-size=1",
)
