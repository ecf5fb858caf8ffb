"""GPUs by their names: those of the table, of NVIDIA's and clouds' node labels, and plain sizes."""

import re
from dataclasses import dataclass, replace

from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.knowledge import GIB, nearest, read

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*Gi?B?", re.IGNORECASE)
_SLICE = re.compile(r"(?:^|[-/])mig-\d+g\.(\d+)gb", re.IGNORECASE)
_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, or the main memory that takes its place.

    Attributes:
        name: as in gpus.yaml, or made from what was given.
        memory: bytes that CUDA reports as the device's total; of a CPU, the pod's limit, or 0
            where it has none.
        capability: NVIDIA's compute capability; None where it is not known.
        most: bytes that no such GPU goes beyond; more than `memory` where a name stands for
            several, or the figure was not seen.
        is_cpu: vLLM computes on the CPU.
    """

    name: str
    memory: int
    capability: float | None = None
    most: int = 0
    is_cpu: bool = False

    @property
    def at_most(self) -> int:
        """Bytes that it has at the very most."""
        return max(self.most, self.memory)


def _row(name: str) -> Gpu:
    known = read("gpus")
    row = known["gpus"][name]
    size = int(row["gib"] * GIB)
    return Gpu(name, size, row["capability"], int(size * known["most"]))


def gpus() -> list[Gpu]:
    """Every known GPU, smallest memory first."""
    made = [_row(name) for name in read("gpus")["gpus"]]
    return sorted(made, key=lambda each: (each.memory, each.name))


def _plain(name: str) -> str:
    """A name without what makers, drivers and clouds write around it."""
    plain = re.sub(r"[\s_]+", "-", name.strip().lower())
    plain = re.sub(r"^((nvidia|geforce|tesla|quadro)-)+", "", plain)
    return re.sub(r"-(pcie|sxm\d?|hbm\de?|shared|generation|mega)(?=-|$)", "", plain)


def _named(plain: str) -> Gpu | None:
    known = read("gpus")
    also = {key.lower(): value for key, value in known["also"].items()}
    if (meant := also.get(plain)) is not None:
        # A name of several: the first is computed with, and none is larger than the largest.
        several = [_row(each) for each in meant.split(" or ")]
        return replace(several[0], most=max(each.at_most for each in several))
    table = {each.lower(): each for each in known["gpus"]}
    for spelling in (plain, f"rtx-{plain}", plain.removeprefix("rtx-"), f"{plain}gb"):
        if spelling in table:
            return _row(table[spelling])
    return None


def mig_slice(name: str) -> Gpu | None:
    """The slice of a GPU that a MIG resource or product names, such as nvidia.com/mig-3g.40gb."""
    found = _SLICE.search(name)
    if found is None:
        return None
    whole = int(found[1]) * GIB
    slice_name = re.sub(r"^.*mig-", "MIG-", name.lower())
    return Gpu(slice_name, int(whole * read("gpus")["mig_share"]), most=whole)


def of_mebibytes(count: int) -> Gpu:
    """A GPU by what nvidia-smi and the label nvidia.com/gpu.memory say of it, in MiB."""
    kept = int(read("gpus")["smi_less_gib"] * GIB)
    return Gpu(f"a GPU of {count} MiB", max(0, count * _MIB - kept), most=count * _MIB)


def gpu(name: str) -> Gpu:
    """A GPU by its name in any spelling, or by its memory, as in 24GiB.

    Raises:
        InvalidSpec: no such GPU; names the nearest.
    """
    if (size := _SIZE.fullmatch(name.strip())) is not None:
        if float(size[1]) <= 0:
            raise InvalidSpec(f"GPU {name!r}: its memory must be above 0")
        return Gpu(f"a GPU of {float(size[1]):g} GiB", int(float(size[1]) * GIB))
    found = mig_slice(name) or _named(_plain(name))
    if found is not None:
        return found
    names = [each.name for each in gpus()]
    raise InvalidSpec(
        f"GPU {name!r} is not in the table{nearest(name, names)} Known: {', '.join(names)};"
        " or give its memory, as in 24GiB"
    )
