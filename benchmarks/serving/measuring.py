"""Puts the load on the doors, one after another, and keeps what they showed."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.serving.processes import cpu_seconds, difference
from benchmarks.serving.servers import NotStarted, Place, Server, Variant, triton, vllm_server
from benchmarks.serving.shapes import SHAPES, write_shape
from qwenctl.bench import load
from qwenctl.bench.results import read_figures
from qwenctl.bench.samples import Figures, figures

if TYPE_CHECKING:
    import argparse
    import subprocess
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from qwenctl.bench.load import Level, Target
    from qwenctl.bench.results import Results

TINY = "tiny"
"""Not random weights, but the model of e2e/tiny_qwen that was trained to talk."""
SERVERS, LIMITS = ("vllm", "triton"), ("engine", "transformers")
# transformers holds a batch in memory and answers it as a whole: two levels say what there is.
_BATCHES = (1, 32)
_LIMIT_SECONDS = 540


@dataclass(frozen=True, slots=True)
class Door:
    """A door of a running server, by its name in the tables."""

    name: str
    target: Target
    pid: int


@dataclass(frozen=True, slots=True)
class Limit:
    """A process that measures itself, when it is told to."""

    what: str
    process: subprocess.Popen[bytes]
    written: Path
    log: Path

    def measure(self) -> list[Figures]:
        """Its figures, one a level.

        Raises:
            NotStarted: it gave none.
        """
        self.written.with_suffix(".go").touch()
        deadline = time.monotonic() + _LIMIT_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        if not self.written.exists():
            log = self.log.read_text(errors="replace").splitlines()
            raise NotStarted(f"{self.what} gave no figures\n" + "\n".join(log[-40:]))
        return [read_figures(given) for given in json.loads(self.written.read_text())]


def measure(chosen: argparse.Namespace, levels: Sequence[Level], results: Results) -> None:
    """Everything that was chosen: servers first, then the limits that they are held against."""
    with _place(chosen) as place:
        _write_weights(chosen.shape, place.folder / "weights")
        if chosen.together:
            _measure_together(place, levels, results, chosen)
        else:
            for suffix, start in _servers(place, results, chosen):
                with start as server:
                    for door in _doors(server, suffix, chosen.doors):
                        for level in levels:
                            _measure(door, level, results, chosen.out)
            for what in LIMITS:
                if what in chosen.only:
                    with _limit(what, place, levels, results) as limit:
                        _keep(limit, results)
        results.save(chosen.out)


def _measure_together(
    place: Place, levels: Sequence[Level], results: Results, chosen: argparse.Namespace
) -> None:
    """All are there at once, and take turns at each level: what drifts, drifts for all."""
    with ExitStack() as stack:
        named = list(_servers(place, results, chosen))
        limits = [
            stack.enter_context(_limit(what, place, levels, results))
            for what in LIMITS
            if what in chosen.only
        ]
        with ThreadPoolExecutor(max(1, len(named))) as pool:
            servers = list(pool.map(lambda each: stack.enter_context(each[1]), named))
        doors = [
            door
            for (suffix, _), server in zip(named, servers, strict=True)
            for door in _doors(server, suffix, chosen.doors)
        ]
        if chosen.rehearse:
            for level in levels:
                load.run(doors[0].target, replace(level, turns=0, seconds=0))
        for level in levels:
            for door in doors:
                _measure(door, level, results, chosen.out)
        for limit in limits:
            _keep(limit, results)
            results.save(chosen.out)


def _servers(
    place: Place, results: Results, chosen: argparse.Namespace
) -> Iterator[tuple[str, AbstractContextManager[Server]]]:
    """What is behind a door's name, and the server that is not started yet."""
    if "vllm" in chosen.only:
        yield "", vllm_server(place, results.engine)
    if "triton" in chosen.only:
        wanted = product(chosen.instances, chosen.sends or (None,))
        for number, (instances, sends) in enumerate(wanted):
            variant = Variant(instances, sends, number)
            yield variant.name, triton(place, results.engine, variant)


def _doors(server: Server, suffix: str, wanted: Sequence[str] | None) -> Iterator[Door]:
    for name, target in server.doors.items():
        if not wanted or name in {*wanted, "vLLM"}:
            yield Door(name + suffix, target, server.pid)


def _write_weights(shape: str, folder: Path) -> None:
    if shape != TINY:
        write_shape(SHAPES[shape], folder)
        return
    from e2e.tiny_qwen.school.writing import TALKING, publish  # noqa: PLC0415  not on a GPU machine

    publish(TALKING, folder)


@contextmanager
def _place(chosen: argparse.Namespace) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "results").mkdir(mode=0o777)
        (folder / "results").chmod(0o777)
        rate = {"BENCH_TOKENS_PER_SECOND": str(chosen.rate)} if chosen.rate else {}
        yield Place(folder, chosen.from_image, rate, chosen.first_port)


def _measure(door: Door, level: Level, results: Results, out: Path) -> None:
    before = cpu_seconds(door.pid)
    samples = load.run(door.target, level)
    spent = difference(cpu_seconds(door.pid), before)
    share = load.measured(level, len(samples))
    cpu = {kind: seconds * share for kind, seconds in spent.items()}
    found = figures(samples, level.streams, level.tokens, cpu)
    results.doors.setdefault(door.name, []).append(found)
    results.save(out)
    _tell(door.name, found)
    if errors := [sample.error for sample in samples if sample.error]:
        print(f"    {errors[0]}", file=sys.stderr)


@contextmanager
def _limit(what: str, place: Place, levels: Sequence[Level], results: Results) -> Iterator[Limit]:
    if what == "transformers":
        levels = [replace(each, turns=1, seconds=0) for each in levels if each.streams in _BATCHES]
    plan = json.dumps(
        {
            "engine": {"model": place.model_path(), **results.engine},
            "levels": [asdict(level) for level in levels],
        }
    )
    written = place.folder / "results" / f"{what}.json"
    seen = f"/results/{what}.json" if place.from_image else str(written)
    words = [place.python(), "-m", "benchmarks.serving.limits", what, plan, seen]
    with place.running(what, words) as process:
        yield Limit(what, process, written, place.folder / f"{what}.log")


def _keep(limit: Limit, results: Results) -> None:
    for found in limit.measure():
        results.doors.setdefault(limit.what, []).append(found)
        _tell(limit.what, found)


def _tell(door: str, found: Figures) -> None:
    by_kind = {kind: round(s / max(1, found.tokens) * 1e6) for kind, s in found.cpu.items()}
    print(
        f"{door:<15}{found.streams:>4} streams {found.rate:>9.0f} tok/s"
        f"  first {found.first.p50:7.1f}/{found.first.p95:7.1f} ms"
        f"  gap {found.gap.p50:6.2f}/{found.gap.p95:6.2f}/{found.gap.p99:6.2f} ms"
        f"  {found.cpu_per_token:6.0f} us CPU/tok"
        f"  {found.events / max(1, found.tokens):.2f} events/tok  {found.errors} errors  {by_kind}",
        flush=True,
    )
