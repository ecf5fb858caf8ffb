"""What the API server and the operator would refuse, found in a file: pure."""
