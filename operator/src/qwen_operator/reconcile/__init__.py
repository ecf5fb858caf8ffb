"""One pass over a QwenDeployment: plans, its children in the cluster, and what is reported."""
