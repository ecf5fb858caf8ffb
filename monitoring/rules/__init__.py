"""Recording rules and alerts as data; charts/qwen-operator/files/ gets them as YAML."""
