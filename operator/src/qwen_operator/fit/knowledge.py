"""What is known of quantisation and of vLLM's memory: read from the YAML files in data/, once."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from qwen_operator.errors import InvalidSpec

GIB = 1024**3
_LIKENESS = 0.5


@dataclass(frozen=True, slots=True)
class Scheme:
    """How quantised weights are kept.

    Attributes:
        name: as in quantization.yaml.
        bits: for one weight, its share of scales and zero points included.
        group: weights that share a scale, along the input of a layer.
        capability: the least compute capability that vLLM has kernels for.
        what: for a person.
        block: a share of an expert's width must be a multiple of it.
    """

    name: str
    bits: float
    group: int
    capability: float
    what: str
    block: int = 1


@dataclass(frozen=True, slots=True)
class Generation:
    """How one range of vLLM's versions uses memory.

    Attributes:
        since: its first version.
        sampler_copies: float32 tensors of sequences x vocabulary that profiling holds at once.
        graphs_in_share: CUDA graphs are taken from vLLM's share before the KV cache is sized.
        graphs: bytes of CUDA graphs.
        reserved_blocks: of the KV cache, that no request gets.
        moe_workspace: the buffers of an experts' layer are kept beside the sampler's tensors.
    """

    since: str
    sampler_copies: float
    graphs_in_share: bool
    graphs: int
    reserved_blocks: int
    moe_workspace: bool


@cache
def read(name: str) -> Mapping[str, Any]:
    """One file of data/, without its ending."""
    text = files(__package__).joinpath("data", f"{name}.yaml").read_text(encoding="utf-8")
    content: Mapping[str, Any] = yaml.safe_load(text)
    return content


def nearest(given: str, known: list[str]) -> str:
    """`; did you mean …?` for the nearest of some names, or a full stop."""
    lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(given.lower(), lower, 1, _LIKENESS)
    return f"; did you mean {lower[found[0]]}?" if found else "."


def _scheme(name: str, raw: Mapping[str, Any]) -> Scheme:
    bits = raw["bits"] + (raw["scale_bits"] + raw["zero_bits"]) / raw["group"]
    return Scheme(name, bits, raw["group"], raw["capability"], raw["what"], raw.get("block", 1))


def scheme(name: str) -> Scheme:
    """A quantisation by vLLM's name.

    Raises:
        InvalidSpec: its sizes are not known here.
    """
    known = read("quantization")
    found = known["also"].get(name, name)
    if found not in known["schemes"]:
        names = [*known["schemes"], *known["also"]]
        raise InvalidSpec(
            f"quantization {name!r} is not known here{nearest(name, names)} Known: "
            + ", ".join(sorted(names))
        )
    return _scheme(found, known["schemes"][found])


def scheme_of_name(model: str) -> Scheme | None:
    """The quantisation that a checkpoint's name tells, as in …-AWQ."""
    for each in read("quantization")["by_name"]:
        if re.search(each["pattern"], model):
            return scheme(each["scheme"])
    return None


def order(version: str) -> tuple[int, ...]:
    """What tells a later version of vLLM from an earlier one."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def generation(version: str | None) -> Generation:
    """How a version of vLLM uses memory; the newest known way where it is None.

    Raises:
        InvalidSpec: it is no version.
    """
    if version is not None and not re.fullmatch(r"\d+(\.\d+)*([a-z.+-].*)?", version):
        raise InvalidSpec(f"{version!r} is no version of vLLM; write it as in 0.24.0")
    known = read("vllm")["generations"]
    fitting = [each for each in known if version is None or order(each["since"]) <= order(version)]
    raw = (fitting or known[:1])[-1]
    return Generation(
        raw["since"],
        raw["sampler_copies"],
        raw["graphs_in_share"],
        int(raw["graphs_gib"] * GIB),
        raw["reserved_blocks"],
        raw["moe_workspace"],
    )
