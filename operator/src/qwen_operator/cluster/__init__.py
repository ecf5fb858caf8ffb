"""The only way to the Kubernetes API: a protocol that tests can stand in for, and the real thing."""
