"""The operator under many QwenDeployments, on the embedded cluster's real API server."""
