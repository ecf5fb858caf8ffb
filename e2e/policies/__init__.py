"""Network policies enforced on the embedded cluster, whose network plugin knows none."""
