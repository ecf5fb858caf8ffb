"""Pages of /metrics read against the contract."""

import re
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from monitoring.contract import BY_SERIES, METRICS, Metric, Source, Type

OURS = ("qwen_", "vllm:", "process_")
"""What a page may only show if the contract has it; of Triton's own it names what we use."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page."""

    name: str
    labels: dict[str, str]
    value: float
    type: str


def samples(page: str) -> list[Sample]:
    """Every sample of a page in Prometheus' text format, under the name that it is stored by.

    Raises:
        ValueError: it is none.
    """
    lines = page.splitlines()
    types = dict(line.split()[2:4] for line in lines if line.startswith("# TYPE "))
    # Without its types: told of a counter, the parser renames what does not end in _total.
    plain = "\n".join(line for line in lines if not line.startswith("#")) + "\n"
    return [
        Sample(each.name, dict(each.labels), each.value, _type_of(each.name, types))
        for family in text_string_to_metric_families(plain)
        for each in family.samples
        if not each.name.endswith("_created")
    ]


def _type_of(series: str, types: dict[str, str]) -> str:
    family = re.sub("_(bucket|sum|count)$", "", series)
    return types.get(series) or types.get(family, "untyped")


def complaints(page: str, source: Source, *, absent: frozenset[str] = frozenset()) -> list[str]:
    """What of a page and the contract do not agree; empty when all is well.

    Args:
        page: what /metrics said after the product was used.
        source: whose page it is.
        absent: metrics that cannot be there, with what the page was taken from.
    """
    found = samples(page)
    expected = [each for each in METRICS if each.source is source]
    wrong = [
        f"{each.name}: not in the contract"
        for each in found
        if each.name.startswith(OURS) and each.name not in BY_SERIES
    ]
    for metric in expected:
        wrong += _complaints_of(metric, found, may_lack=metric.name in absent)
    return sorted(set(wrong))


def _complaints_of(metric: Metric, page: list[Sample], *, may_lack: bool) -> list[str]:
    wrong = []
    for series in metric.series:
        of_it = [each for each in page if each.name == series]
        if not of_it and not may_lack:
            wrong.append(f"{series}: the contract has it, the page does not")
        for each in of_it:
            labels = set(each.labels) - {"le"}
            if labels != set(metric.labels):
                wrong.append(f"{series}: labels {sorted(labels)}, not {sorted(metric.labels)}")
            if each.type != _type_on_page(metric):
                wrong.append(f"{series}: a {each.type}, not a {_type_on_page(metric)}")
    return wrong


def _type_on_page(metric: Metric) -> str:
    """A pod's histograms arrive as counters: Triton's API for backends has no other way."""
    if metric.type is Type.HISTOGRAM and metric.source is Source.POD:
        return Type.COUNTER.value
    return metric.type.value
