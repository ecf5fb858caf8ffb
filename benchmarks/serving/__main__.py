"""Measures the doors side by side: python -m benchmarks.serving run --help."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.serving.machine import machine
from benchmarks.serving.measuring import LIMITS, SERVERS, TINY, measure
from benchmarks.serving.servers import FIRST_PORT, NotStarted
from benchmarks.serving.shapes import SHAPES
from qwenctl.bench.load import Level
from qwenctl.bench.results import Results, today
from qwenctl.bench.results import load as load_results

if TYPE_CHECKING:
    from collections.abc import Sequence

STREAMS = (1, 2, 4, 16, 32, 64, 128, 256)
_SYNTHETIC = {
    "worker_cls": "synthetic_worker.SyntheticWorker",
    "async_scheduling": False,
    "enforce_eager": True,
    # On a CPU vLLM's own choice spins on a core while it waits for its worker.
    "distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor",
}
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
        run(chosen)
    except NotStarted as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure; results go to OUT after every level")
    run.add_argument("out", type=Path)
    run.add_argument("--shape", choices=(*SHAPES, TINY), default="two-layers")
    run.add_argument("--streams", type=_numbers, default=STREAMS)
    run.add_argument("--seconds", type=float, default=0.0, help="a level, instead of turns")
    run.add_argument("--recipe", action="store_true", help="1 to 32 streams, a minute each")
    run.add_argument("--turns", type=int, default=3, help="answers a stream, beside a warm one")
    run.add_argument("--tokens", type=int, default=256, help="length of an answer")
    run.add_argument("--instances", type=_numbers, default=(1,), help="Triton's, one run each")
    run.add_argument("--sends", type=_numbers, help="Triton's paces (pacing.py), one run each")
    run.add_argument("--engine", type=json.loads, default={}, help="engine arguments, as JSON")
    run.add_argument("--rate", type=float, help="no model: made-up tokens, so many/s a stream")
    run.add_argument("--from-image", action="store_true", help="servers from the CPU image")
    run.add_argument(
        "--together",
        action="store_true",
        help="all are there at once, idle but for the one that is measured: give each its part of"
        " the GPU with kv_cache_memory_bytes and gpu_memory_utilization",
    )
    run.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[*SERVERS, *LIMITS],
        help="of " + ", ".join((*SERVERS, *LIMITS)),
    )
    run.add_argument(
        "--rehearse",
        action="store_true",
        help="with --together: each level once unmeasured, so that kernels that are compiled when a"
        " batch of their size first comes lie in the machine's cache for all",
    )
    run.add_argument(
        "--first-port", type=int, default=FIRST_PORT, help="for a second run beside this one"
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


def run(chosen: argparse.Namespace) -> None:
    """Measure what the command line asks for."""
    engine: dict[str, object] = {} if chosen.shape == TINY else {"load_format": "dummy"}
    engine |= chosen.engine
    shape = chosen.shape
    if chosen.rate:
        engine |= _SYNTHETIC
        shape = f"synthetic, {chosen.rate:g} tok/s a stream"
    streams, turns, seconds = chosen.streams, chosen.turns, chosen.seconds
    if chosen.recipe:
        streams, turns, seconds = _RECIPE_STREAMS, 1, _RECIPE_SECONDS
    levels = [Level(count, turns, chosen.tokens, seconds) for count in streams]
    measure(chosen, levels, Results(shape, engine, chosen.tokens, machine(), today()))


if __name__ == "__main__":
    sys.exit(main())
