"""How fast a Qwen answers through each door: Triton HTTP, Triton gRPC, :9000, vLLM's own server."""

import sys
from pathlib import Path

# The client is qwenctl's, and is run from this checkout on machines that have nothing installed.
_SOURCE = str(Path(__file__).resolve().parents[2] / "operator" / "src")
if _SOURCE not in sys.path:
    sys.path.insert(0, _SOURCE)
