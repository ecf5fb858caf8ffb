"""Published and measured figures as plans, and how far the computation is from them."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from qwen_operator.fit.devices import Gpu
from qwen_operator.fit.knowledge import GIB, generation, scheme
from qwen_operator.fit.memory import Memory, Plan, memory
from qwen_operator.fit.shapes import named


@dataclass(frozen=True)
class Case:
    """One figure that vLLM printed beside the computed one.

    Attributes:
        raw: as it stands in published.yaml or measured.yaml.
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

    @property
    def error_in_tokens(self) -> float:
        """Computed tokens of the KV cache less those that vLLM had, in percent of these."""
        return 100 * (self.memory.tokens / float(self.raw["seen"]["tokens"]) - 1)


def plan(raw: dict[str, Any]) -> Plan:
    """One case as a plan."""
    given, shape = raw["plan"], named(raw["model"])
    if "quantization" in given:
        shape = replace(shape, scheme=scheme(given["quantization"]))
    return Plan(
        shape=shape,
        gpu=Gpu("published", int(given["gib"] * GIB)),
        tensor=given.get("tensor", 1),
        utilization=given["utilization"],
        max_num_seqs=given["seqs"],
        max_num_batched_tokens=given["batched"],
        eager=given.get("eager", False),
        dtype_bytes=given.get("dtype_bytes", 2),
        kv_bytes=given.get("kv_bytes", given.get("dtype_bytes", 2)),
        vllm=generation(str(given["version"])),
    )


@cache
def cases() -> tuple[Case, ...]:
    """Every published figure."""
    return _read("published.yaml")


@cache
def measured() -> tuple[Case, ...]:
    """Every figure of our own."""
    return _read("measured.yaml")


def _read(name: str) -> tuple[Case, ...]:
    raw = yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))
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


def measured_table() -> str:
    """The second table of docs/fit.md."""
    lines = [
        (
            "| start | weights | KV cache | computed | off by, of the share | tokens | computed"
            " | off by |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in measured():
        mark = " (calibrates)" if "calibrates" in each.raw else ""
        seen, found = each.raw["seen"], each.memory
        lines.append(
            f"| {each.raw['name']}{mark} | {seen['weights_gib']:.2f} GiB"
            f" | {seen['kv_gib']:.2f} GiB |"
            f" {found.kv_cache / GIB:.2f} GiB | {each.error:+.2f} % | {seen['tokens']:,} |"
            f" {found.tokens:,} | {each.error_in_tokens:+.1f} % |"
        )
    return "\n".join(lines)
