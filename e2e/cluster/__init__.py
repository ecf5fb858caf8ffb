"""A real Kubernetes on this machine: one node, its own processes, no container engine asked."""
