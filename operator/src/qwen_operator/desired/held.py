"""`spec.updatePolicy`: pods of an older rendering stay until the user changes the spec.

A Deployment carries the template that it was last given, and a digest of the user's spec at that
time. While the spec is the same and another version of the operator would render it differently,
the old template is what is wanted.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import Resource
from qwen_operator.desired.children import Desired
from qwen_operator.desired.pod import REPOSITORY, config_maps, template_hash

Json = dict[str, Any]
Place = tuple[str, str]


def _rendered(deployment: Mapping[str, Any]) -> Json | None:
    """The template that the Deployment was last given; None if it cannot be trusted."""
    annotations = deployment["metadata"].get("annotations") or {}
    try:
        template = json.loads(annotations.get(naming.RENDERED_ANNOTATION, ""))
        stamped = template["metadata"]["annotations"][naming.TEMPLATE_HASH_ANNOTATION]
        whole = template_hash(template) == stamped
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return template if whole else None


def _files(template: Mapping[str, Any]) -> frozenset[Place]:
    """The ConfigMaps with the model's folder."""
    volumes = template["spec"].get("volumes") or ()
    names = config_maps(each for each in volumes if each.get("name") == REPOSITORY)
    return frozenset(("ConfigMap", name) for name in names)


def runs_already(resource: Resource, wanted: Desired, live: Mapping[Place, Json]) -> bool:
    """Whether the pods that exist are made from this very template."""
    deployment = live.get(("Deployment", resource.child), {})
    template = deployment.get("spec", {}).get("template", {}).get("metadata", {})
    annotations = template.get("annotations") or {}
    return bool(annotations.get(naming.TEMPLATE_HASH_ANNOTATION) == wanted.template_hash)


def held_back(resource: Resource, wanted: Desired, live: Mapping[Place, Json]) -> Desired:
    """What should exist, with the pods left at their older rendering if the policy says so.

    Args:
        resource: what to serve.
        wanted: what this operator renders.
        live: (kind, name) → the resource's children, and what its namespace shares, as they are.
    """
    deployment = live.get(("Deployment", resource.child))
    if resource.spec.update_policy != "OnChange" or deployment is None:
        return wanted
    annotations = deployment["metadata"].get("annotations") or {}
    ours = wanted.deployment["metadata"]["annotations"]
    same_spec, same_rendering = (
        annotations.get(each) == ours[each]
        for each in (naming.SPEC_HASH_ANNOTATION, naming.RENDERED_ANNOTATION)
    )
    template = _rendered(deployment) if same_spec and not same_rendering else None
    if template is None:
        return wanted
    stamps = template["metadata"]["annotations"]
    files = _files(template)
    if stamps[naming.TEMPLATE_HASH_ANNOTATION] == wanted.template_hash:
        return wanted
    if not files or not files <= live.keys():
        return wanted
    kept = {
        each: annotations.get(each, "")
        for each in (naming.RENDERED_ANNOTATION, naming.RENDERED_BY_ANNOTATION)
    }
    manifest = {
        **wanted.deployment,
        "metadata": {**wanted.deployment["metadata"], "annotations": {**ours, **kept}},
        "spec": {**wanted.deployment["spec"], "template": template},
    }
    others = tuple(
        each for each in wanted.children if each["kind"] not in {"ConfigMap", "Deployment"}
    )
    return replace(
        wanted,
        children=(*others, manifest),
        backend=None,
        kept=files,
        config_hash=stamps[naming.CONFIG_HASH_ANNOTATION],
        template_hash=stamps[naming.TEMPLATE_HASH_ANNOTATION],
        image=template["spec"]["containers"][0]["image"],
        rendered_by=kept[naming.RENDERED_BY_ANNOTATION],
    )
