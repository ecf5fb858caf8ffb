"""Grafana dashboards as code; charts/qwen-operator/dashboards/ gets them as JSON."""
