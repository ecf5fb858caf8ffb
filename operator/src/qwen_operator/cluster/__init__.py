"""The only way to the Kubernetes API: a protocol that tests stand in for, and the real thing."""
