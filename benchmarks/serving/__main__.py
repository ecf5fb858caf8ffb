"""Measures the doors side by side: python -m benchmarks.serving run --help."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.serving.machine import machine
from benchmarks.serving.processes import cpu_seconds, difference
from benchmarks.serving.servers import NotStarted, Place, Server, triton, vllm_server
from benchmarks.serving.shapes import SHAPES, write_shape
from qwenctl.bench import load
from qwenctl.bench.load import Level
from qwenctl.bench.results import Results, read_figures, today
from qwenctl.bench.results import load as load_results
from qwenctl.bench.samples import Figures, figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STREAMS = (1, 2, 4, 16, 32, 64, 128, 256)
# transformers holds a batch in memory and answers it as a whole: two levels say what there is.
_BATCHES = (1, 32)
_LIMIT_SECONDS = 540
_SYNTHETIC = {
    "worker_cls": "synthetic_worker.SyntheticWorker",
    "async_scheduling": False,
    "enforce_eager": True,
    # On a CPU vLLM's own choice spins on a core while it waits for its worker.
    "distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor",
}
# Not random weights, but the model of e2e/tiny_qwen that was trained to talk.
_TINY = "tiny"
_RECIPE_STREAMS = (1, 2, 4, 16, 32)
_RECIPE_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what cannot start ends in words and status 1."""
    # Servers are stopped on the way out: not without a way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = _parser().parse_args(arguments)
    if chosen.command == "report":
        write_report(chosen.results, chosen.document)
        return 0
    try:
        measure(chosen)
    except NotStarted as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure; results go to OUT after every level")
    run.add_argument("out", type=Path)
    run.add_argument("--shape", choices=(*SHAPES, _TINY), default="two-layers")
    run.add_argument("--streams", type=_numbers, default=STREAMS)
    run.add_argument("--seconds", type=float, default=0.0, help="a level, instead of turns")
    run.add_argument("--recipe", action="store_true", help="1 to 32 streams, a minute each")
    run.add_argument("--turns", type=int, default=3, help="answers a stream, beside a warm one")
    run.add_argument("--tokens", type=int, default=256, help="length of an answer")
    run.add_argument("--instances", type=_numbers, default=(1,), help="Triton's, one run each")
    run.add_argument("--engine", type=json.loads, default={}, help="engine arguments, as JSON")
    run.add_argument("--rate", type=float, help="no model: made-up tokens, so many/s a stream")
    run.add_argument("--from-image", action="store_true", help="servers from the CPU image")
    run.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=["triton", "vllm", "engine", "transformers"],
        help="of triton, vllm, engine, transformers",
    )
    tell = commands.add_parser("report", help="write a run's table and plot into a document")
    tell.add_argument("results", type=Path)
    tell.add_argument("document", type=Path, nargs="?", default=Path("docs/performance.md"))
    run.add_argument("--doors", type=lambda text: text.split(","), help="of Triton's; all")
    return parser


def write_report(found: Path, document: Path) -> None:
    """Write a run's table into a document that has a place for it, and its plot beside it."""
    # Only here: a machine that measures need not have what draws.
    from benchmarks.serving import report  # noqa: PLC0415
    from qwenctl.bench.plotting import plot  # noqa: PLC0415

    results = load_results(found)
    text = report.write_into(document.read_text(encoding="utf-8"), results, found.stem)
    if text is None:
        print(report.table(results))
        print(f"{document} has no place for {found.stem}", file=sys.stderr)
        return
    images = document.parent / "images"
    images.mkdir(exist_ok=True)
    plot(results, images / f"{found.stem}.png")
    document.write_text(text, encoding="utf-8")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def measure(chosen: argparse.Namespace) -> None:
    """Everything that was chosen, one server after another."""
    engine: dict[str, object] = {} if chosen.shape == _TINY else {"load_format": "dummy"}
    engine |= chosen.engine
    shape = chosen.shape
    if chosen.rate:
        engine |= _SYNTHETIC
        shape = f"synthetic, {chosen.rate:g} tok/s a stream"
    results = Results(shape, engine, chosen.tokens, machine(), today())
    streams, turns, seconds = chosen.streams, chosen.turns, chosen.seconds
    if chosen.recipe:
        streams, turns, seconds = _RECIPE_STREAMS, 1, _RECIPE_SECONDS
    levels = [Level(count, turns, chosen.tokens, seconds) for count in streams]
    with _place(chosen) as place:
        _write_weights(chosen.shape, place.folder / "weights")
        if "vllm" in chosen.only:
            with vllm_server(place, engine) as server:
                _measure_server(server, levels, results, chosen, "")
        if "triton" in chosen.only:
            for instances in chosen.instances:
                with triton(place, engine, instances) as server:
                    suffix = f" x{instances}" if instances > 1 else ""
                    _measure_server(server, levels, results, chosen, suffix)
        for what in ("engine", "transformers"):
            if what in chosen.only:
                _measure_limit(what, place, levels, results)
        results.save(chosen.out)


def _write_weights(shape: str, folder: Path) -> None:
    if shape != _TINY:
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
        yield Place(folder, from_image=chosen.from_image, environment=rate)


def _measure_server(
    server: Server,
    levels: Sequence[Level],
    results: Results,
    chosen: argparse.Namespace,
    suffix: str,
) -> None:
    for name, target in server.doors.items():
        if chosen.doors and name not in {*chosen.doors, "vLLM"}:
            continue
        for level in levels:
            before = cpu_seconds(server.pid)
            samples = load.run(target, level)
            spent = difference(cpu_seconds(server.pid), before)
            share = load.measured(level, len(samples))
            cpu = {kind: seconds * share for kind, seconds in spent.items()}
            found = figures(samples, level.streams, level.tokens, cpu)
            results.doors.setdefault(name + suffix, []).append(found)
            results.save(chosen.out)
            _tell(name + suffix, found)
            for sample in samples:
                if sample.error:
                    print(f"    {sample.error}", file=sys.stderr)
                    break


def _measure_limit(what: str, place: Place, levels: Sequence[Level], results: Results) -> None:
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
    deadline = time.monotonic() + _LIMIT_SECONDS
    with place.running(what, words) as process:
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
    if not written.exists():
        log = (place.folder / f"{what}.log").read_text(errors="replace").splitlines()
        raise NotStarted(f"{what} gave no figures\n" + "\n".join(log[-40:]))
    for given in json.loads(written.read_text()):
        found = read_figures(given)
        results.doors.setdefault(what, []).append(found)
        _tell(what, found)


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


if __name__ == "__main__":
    sys.exit(main())
