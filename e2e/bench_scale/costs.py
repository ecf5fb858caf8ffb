"""Who used the machine's cores, by the kernel's count."""

import os
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.layout import Layout
from e2e.cluster.process import read_record, stat_fields

_TICK = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12
_IDLE, _WAITING, _STOLEN = 3, 4, 7
REST = "everything else on the machine"


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used so far, all threads together."""
    fields = stat_fields(Path(f"/proc/{pid}/stat").read_text(encoding="ascii"))
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK


def _busy() -> float:
    """Seconds that all cores together have worked, steals by other machines left out."""
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    times = [int(each) for each in line.split()[1:9]]
    return (sum(times) - times[_IDLE] - times[_WAITING] - times[_STOLEN]) / _TICK


class Costs:
    """A start, and what each process has used since."""

    def __init__(self, layout: Layout, others: Mapping[str, int]) -> None:
        """Begin to count.

        Args:
            layout: the cluster whose components are counted.
            others: name → pid of further processes.
        """
        records = {each.name: read_record(each) for each in layout.pids.iterdir()}
        parts = {name: found.pid for name, found in records.items() if found is not None}
        self._pids = {**parts, **others}
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        self._busy = _busy()

    def since(self) -> dict[str, float]:
        """Name → CPU seconds since the start, the most first, and what nobody named used."""
        used = {name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()}
        used = dict(sorted(used.items(), key=lambda each: -each[1]))
        return {**used, REST: max(0.0, _busy() - self._busy - sum(used.values()))}
