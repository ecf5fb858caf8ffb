"""Work on a GPU machine: python -m benchmarks.gpu pack | starts | failures | fit-table --help."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmarks.gpu.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Callable


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    commands = parser.add_subparsers(required=True)
    packing = commands.add_parser("pack", help="write the chunks")
    packing.add_argument("--into", type=Path, required=True, help="folder for the chunks")
    packing.add_argument(
        "--chunk-mib", type=_positive, default=58, help="a chunk's size at most (default: 58)"
    )
    packing.add_argument(
        "--architecture",
        type=_positive,
        help="carry vLLM's GPU code for this one only, e.g. 90 for Hopper (default: for all)",
    )
    packing.set_defaults(run=_pack)
    for name, run, told in (
        ("starts", _starts, "start engines by turns, their logs into OUT"),
        ("fit-table", _fit_table, "how near the fit came to the logs in OUT"),
    ):
        command = commands.add_parser(name, help=told)
        command.add_argument("out", type=Path)
        command.add_argument("--gpu", default="H200", help="as qwenctl fit knows it")
        command.add_argument("--vllm", default="0.24.0", help="version that is there")
        command.add_argument("--seconds", type=float, default=420, help="for all starts together")
        command.add_argument("--only", nargs="*", default=[], help="names of starts.yaml")
        command.set_defaults(run=run)
    failing = commands.add_parser("failures", help="provoke failures, their logs into OUT")
    failing.add_argument("out", type=Path)
    failing.add_argument("--only", nargs="*", default=[], help="names of failures.yaml")
    failing.set_defaults(run=_failures)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Command line without the program's name; the process's own when left out.

    Returns:
        The exit status.
    """
    chosen = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = chosen.run
    try:
        run(chosen)
    except (PackError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _pack(chosen: argparse.Namespace) -> None:
    from benchmarks.gpu.pack import pack  # noqa: PLC0415  not on a GPU machine

    manifest = pack(chosen.into, chosen.chunk_mib, chosen.architecture)
    for name, size in cast("dict[str, int]", manifest["bytes"]).items():
        print(f"{name:10} {size / (1 << 20):8.1f} MiB unpacked")
    for name, size in cast("dict[str, int]", manifest["chunks"]).items():
        print(f"{name:10} {size / (1 << 20):8.1f} MiB")


def _starts(chosen: argparse.Namespace) -> None:
    from benchmarks.gpu.starts import cases, run  # noqa: PLC0415  packing needs no operator

    known = cases(chosen.gpu, chosen.vllm)
    wanted = [each for each in known if not chosen.only or each.name in chosen.only]
    run(chosen.out, wanted, chosen.seconds)


def _fit_table(chosen: argparse.Namespace) -> None:
    from benchmarks.gpu.starts import cases, table  # noqa: PLC0415

    for line in table(chosen.out, cases(chosen.gpu, chosen.vllm)):
        print(line)


def _failures(chosen: argparse.Namespace) -> None:
    from benchmarks.gpu.failures import provoke  # noqa: PLC0415

    provoke(chosen.out, chosen.only)


if __name__ == "__main__":
    sys.exit(main())
