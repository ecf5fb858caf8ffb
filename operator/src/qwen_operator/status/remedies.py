"""What to do about what Kubernetes says: its words, found in the tables of `kubernetes_words`."""

import re

from qwen_operator.status.kubernetes_words import Remedies


def remedy_for(text: str, remedies: Remedies, **known: str) -> str | None:
    """The remedy of the first words that hit, with what they name filled in; None if none hit.

    Args:
        text: what Kubernetes says.
        remedies: pattern and remedy, most specific first.
        known: further names that remedies use.
    """
    for pattern, remedy in remedies:
        if match := re.search(pattern, text):
            named = {key: value or "" for key, value in match.groupdict().items()}
            return remedy.format_map(known | named)
    return None


def decisive(text: str) -> str:
    """Of the scheduler's words those that rule out every node, or all if none does alone."""
    total = re.search(r"\d+/(\d+) nodes are available", text)
    alone = total and re.search(rf"(?:: |, ){total[1]} ((?:Insufficient|node|Too|pod)[^,]*)", text)
    return f"{total[0]}: {total[1]} {alone[1]}" if total and alone else text


def gpu_shortage(text: str, wanted: str, free: str | None = None) -> str:
    """What to do when the scheduler finds too few GPUs.

    Args:
        text: the scheduler's words.
        wanted: how many of what a pod asks for, as in "2 nvidia.com/gpu".
        free: how many there are, where that is known.
    """
    nodes = re.search(r"\d+/(\d+) nodes are available", text)
    lacking = re.search(r"(\d+) Insufficient \S*(?:gpu|mig-)", text, re.IGNORECASE)
    told = f"A pod asks for {wanted}"
    if nodes and lacking:
        told += f"; {lacking[1]} of {nodes[1]} nodes have too few free"
        if (others := int(nodes[1]) - int(lacking[1])) > 0:
            told += f", {others} are ruled out otherwise (see the scheduler's words)"
    told += f"; {free}" if free else ""
    return (
        f"{told}. Free GPUs, add a node, ask for fewer in spec.resources.gpus, or check that the"
        " device plugin advertises them (kubectl describe node)."
    )
