"""The published figures as plans, and how far the computation is from them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from qwen_operator.fit.devices import Gpu
from qwen_operator.fit.knowledge import GIB, generation
from qwen_operator.fit.memory import Memory, Plan, memory
from qwen_operator.fit.shapes import named


@dataclass(frozen=True)
class Case:
    """One published figure beside the computed one.

    Attributes:
        raw: as it stands in published.yaml.
        memory: as computed.
    """

    raw: dict[str, Any]
    memory: Memory

    @property
    def seen(self) -> float:
        """GiB of KV cache that vLLM printed, or that its number of tokens takes."""
        seen = self.raw["seen"]
        if "tokens" in seen:
            return float(seen["tokens"] * self.memory.token / GIB)
        return float(seen["kv_gib"])

    @property
    def error(self) -> float:
        """Computed less seen, in percent of vLLM's share."""
        return 100 * (self.memory.kv_cache / GIB - self.seen) / (self.memory.share / GIB)


def plan(raw: dict[str, Any]) -> Plan:
    """One case as a plan."""
    given = raw["plan"]
    return Plan(
        shape=named(raw["model"]),
        gpu=Gpu("published", int(given["gib"] * GIB)),
        tensor=given.get("tensor", 1),
        utilization=given["utilization"],
        max_num_seqs=given["seqs"],
        max_num_batched_tokens=given["batched"],
        eager=given.get("eager", False),
        vllm=generation(str(given["version"])),
    )


@cache
def cases() -> tuple[Case, ...]:
    """Every published figure."""
    path = Path(__file__).with_name("published.yaml")
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(Case(each, memory(plan(each))) for each in raw)


def table() -> str:
    """The table of docs/fit.md."""
    lines = ["| log | vLLM's KV cache | computed | off by, of the share |", "|---|---|---|---|"]
    for each in cases():
        mark = " (calibrates)" if "calibrates" in each.raw else ""
        lines.append(
            f"| {each.raw['name']}{mark} | {each.seen:.2f} GiB |"
            f" {each.memory.kv_cache / GIB:.2f} GiB | {each.error:+.1f} % |"
        )
    return "\n".join(lines)
