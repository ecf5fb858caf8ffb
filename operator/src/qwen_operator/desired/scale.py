"""How many pods: spec.replicas, or what an autoscaler has made of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qwen_operator.api.resource import Resource


def scaled(resource: Resource, live: Mapping[str, Any] | None) -> Resource:
    """The resource with the number of pods that should run now in spec.replicas.

    Args:
        resource: as the user wrote it.
        live: its Deployment, or None.
    """
    spec = resource.spec
    bounds = spec.autoscaling
    if bounds is None or spec.suspend:
        return resource
    count = spec.replicas
    if live is not None:
        found = int(live.get("spec", {}).get("replicas", count))
        # 0 is an autoscaler's only where it may go so low; else pods were suspended.
        count = found if found or not bounds.min_replicas else count
    count = max(bounds.min_replicas, min(bounds.max_replicas, count))
    return replace(resource, spec=spec.model_copy(update={"replicas": count}))
