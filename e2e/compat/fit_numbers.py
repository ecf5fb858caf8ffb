"""Show how each number of fit/data/{gpus,quantization,vllm}.yaml was got, and check what can be.

`python -m e2e.compat.fit_numbers` shows which published line each comes from, and computes the
constants anew from the logs that they were found from. With `--wheels` it also reads vLLM's own
source out of the wheels of the index that pip uses, and compares what stands there. Exits with 1
where a number and its source disagree. Of models: model_shapes.py.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from e2e.compat.versions import ROOT
from e2e.compat.wheels import wheel
from qwen_operator.fit.devices import Gpu
from qwen_operator.fit.knowledge import GIB, generation, read, scheme
from qwen_operator.fit.memory import Plan, memory
from qwen_operator.fit.shapes import named
from qwen_operator.fit.weights import VOCAB_PADDING

LOGS = ROOT / "operator" / "tests" / "unit" / "fit"
_OUR_OWN = "a start of our own on an H200"
_FLOAT32 = 4
_NEAR = 0.01
_GRAPHS_NEAR = 0.1 * GIB
_FIRST_GPU = 7.0
"""No older one is supported, whatever a file says."""
_CAPABILITIES = {
    "awq": ("0.32.0", "auto_awq"),
    "gptq": ("0.32.0", "auto_gptq"),
    "gptq-int8": ("0.32.0", "auto_gptq"),
    "fp8": ("0.32.0", "fp8"),
    "fp8-blocks": ("0.32.0", "fp8"),
    "int8": ("0.32.0", "compressed_tensors/schemes/compressed_tensors_w8a8_int8"),
    "bitsandbytes": ("0.27.1", "bitsandbytes"),
    "nvfp4": ("0.32.0", "compressed_tensors/schemes/compressed_tensors_w4a4_nvfp4"),
}
"""Scheme → the version and file of vLLM that say what GPU it needs."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One number.

    Attributes:
        name: where it stands.
        value: what stands there.
        how: how it was got.
        agrees: whether its source says the same; None where nothing was compared.
    """

    name: str
    value: object
    how: str
    agrees: bool | None = None


def gpu_numbers() -> Iterator[Shown]:
    """What CUDA reports of each GPU."""
    for name, row in read("gpus")["gpus"].items():
        where = f"gpus.yaml {name}"
        if "seen" not in row:
            yield Shown(where, f"{row['gib']} GiB", "estimated: seen in no log")
            continue
        figures = [float(each) for each in re.findall(r"\d+\.\d+", row["seen"])]
        yield Shown(where, f"{row['gib']} GiB", row["seen"], row["gib"] in figures)
        largest = max([each for each in figures if each > row["gib"] * 0.9] or [row["gib"]])
        most = read("gpus")["most"]
        how = f"{largest} GiB is the most that its line shows"
        yield Shown(
            f"{where} x most", f"{row['gib'] * most:.2f} GiB", how, row["gib"] * most >= largest
        )


def quantisation_numbers() -> Iterator[Shown]:
    """What a quantised weight takes."""
    for name, row in read("quantization")["schemes"].items():
        group = row["group"]
        how = (
            f"{row['bits']} bits, and for {group} weights a scale of {row['scale_bits']}"
            f" and a zero point of {row['zero_bits']}"
        )
        yield Shown(f"quantization.yaml {name}", f"{scheme(name).bits:.3f} bits", how)


def _published() -> dict[str, dict[str, Any]]:
    """The logs that constants were found from, others' and our own, by the constant."""
    files = (LOGS / name for name in ("published.yaml", "measured.yaml"))
    found = [each for file in files for each in yaml.safe_load(file.read_text(encoding="utf-8"))]
    return {each["calibrates"]: each for each in found if "calibrates" in each}


def _plan(raw: dict[str, Any]) -> Plan:
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


def _left_for(part: str, raw: dict[str, Any]) -> float:
    """Bytes that a log leaves for one part, if all the others are as computed."""
    plan = _plan(raw)
    found = memory(plan)
    seen = int(raw["seen"]["kv_gib"] * GIB)
    parts = {
        "activations": found.activations,
        "other": found.other,
        "graphs": found.graphs,
    }
    return (
        found.share
        - found.weights
        - seen
        - sum(size for name, size in parts.items() if name != part)
    )


def _near(one: float, other: float, share: float) -> bool:
    """Within so many percent of vLLM's share: a log is no more exact."""
    return abs(one - other) <= _NEAR * share


def calibrated_numbers() -> Iterator[Shown]:
    """The constants that were found from logs, computed anew."""
    for what, raw in _published().items():
        plan = _plan(raw)
        found, source = memory(plan), f"{raw['name']}: {raw.get('source', _OUR_OWN)}"
        row = plan.sequences * plan.shape.vocab * _FLOAT32
        if what.startswith("experts"):
            sampler = plan.vllm.sampler_copies * row
            computed, implied = (
                each - sampler for each in (found.activations, _left_for("activations", raw))
            )
            agrees = _near(implied, computed, found.share)
            how = f"{implied / GIB:.2f} GiB by {source}"
            yield Shown("experts' workspace", f"{computed / GIB:.2f} GiB", how, agrees)
        elif what.startswith("sampler"):
            implied = _left_for("activations", raw) / row
            value = plan.vllm.sampler_copies
            agrees = _near(implied * row, value * row, found.share)
            yield Shown("vllm.yaml sampler_copies", value, f"{implied:.2f} by {source}", agrees)
        elif what.startswith("activations"):
            implied = _left_for("activations", raw)
            agrees = _near(implied, found.activations, found.share)
            how = f"{implied / GIB:.2f} GiB by {source}"
            yield Shown("layers' activations", f"{found.activations / GIB:.2f} GiB", how, agrees)
        elif what.startswith("CUDA graphs"):
            printed = re.search(r"Estimated CUDA graph memory: ([0-9.]+) GiB", raw["line"])
            implied = float(printed[1]) * GIB if printed else 0.0
            agrees = abs(implied - found.graphs) <= _GRAPHS_NEAR
            how = f"{implied / GIB:.2f} GiB printed by {source}"
            yield Shown("vllm.yaml graphs_gib", f"{found.graphs / GIB:.2f} GiB", how, agrees)
        if "CUDA" in what and "graphs" not in what:
            implied = _left_for("other", raw)
            agrees = _near(implied, found.other, found.share)
            how = f"{implied / GIB:.2f} GiB by {source}"
            yield Shown("vllm.yaml other_gib", f"{found.other / GIB:.2f} GiB", how, agrees)


def _source(version: str, member: str) -> str:
    """One file of a version's vLLM, read out of its wheel; empty where it has none."""
    archive = wheel(version)
    try:
        return archive.read(f"vllm/{member}").decode()
    except KeyError:
        return ""


def _defaults(source: str) -> list[tuple[int, int, int]]:
    """(GiB, sequences, tokens) of get_batch_defaults for the server, largest GPUs first."""
    begin = source.index("def get_batch_defaults")
    body = source[begin : source.index("tpu specific", begin)]
    steps = [int(each) for each in re.findall(r"device_memory >= (\d+) \* GiB", body)] + [0]
    numbers = [int(each) for each in re.findall(r"OPENAI_API_SERVER: (\d+)", body)]
    # For each size first the tokens, then the sequences.
    return [(size, numbers[2 * at + 1], numbers[2 * at]) for at, size in enumerate(steps)]


def _constant(source: str, name: str) -> object:
    """The literal that a module or a class assigns to a name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            names = {each.id for each in targets if isinstance(each, ast.Name)}
            if name in names and isinstance(node.value, ast.Constant):
                return node.value.value
    return None


def wheel_numbers() -> Iterator[Shown]:
    """What stands in vLLM's own source."""
    known = read("vllm")
    newest = "0.32.0"
    block = _constant(_source(newest, "config/cache.py"), "DEFAULT_BLOCK_SIZE")
    where = f"vLLM {newest} config/cache.py, DEFAULT_BLOCK_SIZE"
    value = known["block_tokens"]["gpu"]
    yield Shown("vllm.yaml block_tokens gpu", value, f"{block}: {where}", block == value)
    cpu = _source(newest, "platforms/cpu.py")
    value = known["block_tokens"]["cpu"]
    agrees = f"cache_config.block_size = {value}" in cpu
    yield Shown("vllm.yaml block_tokens cpu", value, f"vLLM {newest} platforms/cpu.py", agrees)
    embedding = _source(newest, "model_executor/layers/vocab_parallel_embedding.py")
    padding = _constant(embedding, "DEFAULT_VOCAB_PADDING_SIZE")
    how = f"{padding}: vocab_parallel_embedding.py, DEFAULT_VOCAB_PADDING_SIZE"
    yield Shown("VOCAB_PADDING", VOCAB_PADDING, how, padding == VOCAB_PADDING)
    yield from _capabilities()
    for version in ("0.19.0", "0.27.1", "0.28.0", newest):
        yield from _of_version(version)


def _capabilities() -> Iterator[Shown]:
    """Which GPU a quantisation needs."""
    for name, (version, file) in _CAPABILITIES.items():
        source = _source(version, f"model_executor/layers/quantization/{file}.py")
        told = re.search(
            r"def get_min_capability\(cls\)[^:]*:\s+(?:#[^\n]*\s+)*return (\d+)", source
        )
        least = max(_FIRST_GPU, int(told[1]) / 10) if told else None
        value = scheme(name).capability
        how = f"{least}: vLLM {version} quantization/{file}.py"
        yield Shown(f"quantization.yaml {name}", f"sm {value}", how, least == value)


def _of_version(version: str) -> Iterator[Shown]:
    """What changes from version to version."""
    way = generation(version)
    plan = Plan(named("Qwen3-8B"), Gpu("any", 0), vllm=way)
    for size, sequences, step in _defaults(_source(version, "engine/arg_utils.py")):
        one = replace(plan, gpu=Gpu("any", size * GIB))
        how = f"{sequences}, {step}: vLLM {version} engine/arg_utils.py, from {size} GiB on"
        agrees = (one.sequences, one.step) == (sequences, step)
        yield Shown("vllm.yaml engine_defaults", f"{one.sequences}, {one.step}", how, agrees)
    reserved = "Reserve the null block" in _source(version, "v1/core/kv_cache_utils.py")
    how = f"{int(reserved)}: vLLM {version} v1/core/kv_cache_utils.py"
    yield Shown(
        "vllm.yaml reserved_blocks", way.reserved_blocks, how, way.reserved_blocks == reserved
    )
    text = _source(version, "envs.py")
    name = "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS"
    default = re.search(rf'"{name}", "(\d)"', text)
    inside = default is not None and default[1] == "1"
    how = f"{inside}: vLLM {version} envs.py, {name}"
    yield Shown(
        "vllm.yaml graphs_in_share", way.graphs_in_share, how, way.graphs_in_share == inside
    )
    kernel = "triton" in _source(version, "v1/sample/ops/topk_topp_sampler.py")
    fewer = way.sampler_copies < generation("0.11").sampler_copies
    how = f"a Triton kernel: {kernel}, vLLM {version} v1/sample/ops/topk_topp_sampler.py"
    yield Shown("vllm.yaml sampler_copies", way.sampler_copies, how, fewer == kernel)


def main() -> int:
    """Print every number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", action="store_true", help="read vLLM's source, too")
    chosen = parser.parse_args()
    every = [*gpu_numbers(), *quantisation_numbers(), *calibrated_numbers()]
    every += wheel_numbers() if chosen.wheels else ()
    words = {True: "agrees", False: "DISAGREES", None: ""}
    for each in every:
        sys.stdout.write(
            f"{each.name:<34} {each.value!s:>12}  {words[each.agrees]:<9}  {each.how}\n"
        )
    compared = [each.agrees for each in every if each.agrees is not None]
    sys.stdout.write(f"{len(every)} numbers, {len(compared)} compared, {sum(compared)} agree\n")
    return 0 if all(compared) else 1


if __name__ == "__main__":
    sys.exit(main())
