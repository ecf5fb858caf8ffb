"""The QwenDeployment resource: its types, the schema made from them, and reading one."""
