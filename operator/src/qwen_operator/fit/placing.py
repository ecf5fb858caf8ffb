"""Which GPU the pods of a resource get, as far as the resource itself or the administrator says.

Nodes are not asked: a cluster may grow others than it has, and what they have today says nothing of
where a pod will run. What a pod is bound to does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.fit.devices import Gpu, gpu, mig_slice, of_mebibytes
from qwen_operator.fit.knowledge import read
from qwen_operator.fit.request import main_memory

_SELECTOR = "spec.scheduling.nodeSelector"
_AFFINITY = "spec.scheduling.affinity"


@dataclass(frozen=True, slots=True)
class Place:
    """Where pods compute.

    Attributes:
        gpu: each of their GPUs; of several that are possible the largest.
        told_by: the field or setting that says so.
    """

    gpu: Gpu
    told_by: str


def _of_label(label: str, value: str) -> Gpu | None:
    """The GPU of nodes that carry a label; None where the label says nothing of GPUs.

    Raises:
        InvalidSpec: it does, and the value is not known here.
    """
    known: Mapping[str, Any] | None = read("gpus")["labels"].get(label)
    if known is None:
        return None
    if known["is"] == "MiB":
        return of_mebibytes(int(value)) if value.isdigit() else None
    return gpu((known.get("names") or {}).get(value, value))


def _selected(labels: Mapping[str, str]) -> Gpu | None:
    """The GPU of nodes that carry these labels: by its name where one tells that."""
    found = [made for label, value in labels.items() if (made := _of_label(label, value))]
    named = [each for each in found if each.capability is not None]
    return next(iter([*named, *found]), None)


def _term(term: Mapping[str, Any]) -> Gpu | None:
    """The largest GPU among the nodes that a term lets in; None if any may be."""
    for each in term.get("matchExpressions") or ():
        if each.get("operator") != "In" or each.get("key") not in read("gpus")["labels"]:
            continue
        found = [_of_label(each["key"], str(value)) for value in each.get("values") or ()]
        known = [one for one in found if one is not None]
        if known and len(known) == len(found):
            return max(known, key=lambda one: one.at_most)
    return None


def _required(affinity: Mapping[str, Any] | None) -> Gpu | None:
    required = ((affinity or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    # Any of the terms is enough for a node.
    terms = [_term(each) for each in (required or {}).get("nodeSelectorTerms") or ()]
    known = [each for each in terms if each is not None]
    return max(known, key=lambda one: one.at_most) if known and len(known) == len(terms) else None


def _ways(spec: Spec, everywhere: str) -> Iterator[tuple[str, Gpu | None]]:
    """Who may tell, the most binding first."""
    resources, scheduling = spec.resources, spec.scheduling
    yield "spec.resources.gpuResourceName", mig_slice(resources.gpu_resource_name)
    yield _SELECTOR, _selected(scheduling.node_selector)
    yield _AFFINITY, _required(scheduling.affinity)
    if resources.gpu_product is not None:
        yield "spec.resources.gpuProduct", gpu(resources.gpu_product)
    if everywhere:
        yield "the operator's setting gpuProduct", gpu(everywhere)


def place_of(spec: Spec, everywhere: str = "") -> Place | None:
    """Where a resource's pods compute; None where nobody says.

    Args:
        spec: of the resource.
        everywhere: the GPU of all nodes of the cluster, where they are alike.

    Raises:
        InvalidSpec: somebody does, in a name that is not known here.
    """
    if spec.resources.gpus == 0:
        return Place(main_memory(spec), "spec.resources")
    for told_by, found in _ways(spec, everywhere):
        if found is not None:
            return Place(found, told_by)
    return None
