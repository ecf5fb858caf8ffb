"""What a QwenDeployment's status says: pure functions from what was seen to conditions."""
