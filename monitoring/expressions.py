"""Names of series and labels in PromQL, as far as our own expressions go."""

import re


def series_in(expression: str) -> set[str]:
    """Names of series: ours, vLLM's, Triton's, the process's, and recorded ones."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:qwen_|vllm:|nv_|process_)[\w:]+", bare))


def labels_in(expression: str) -> set[str]:
    """Labels that matchers and groupings name."""
    found = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression))
    for group in re.findall(r"\b(?:by|on|ignoring|without|group_left)\s*\(([^)]*)\)", expression):
        found |= {each.strip() for each in group.split(",")}
    return found
