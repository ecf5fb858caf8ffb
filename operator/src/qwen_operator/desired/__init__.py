"""What should exist for a QwenDeployment: pure functions from its spec to manifests."""
