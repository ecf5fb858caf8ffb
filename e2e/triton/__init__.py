"""A Triton of this repository without a cluster: its model repository, and its container."""
