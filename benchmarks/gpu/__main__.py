"""Command line: `python -m benchmarks.gpu pack --into DIR [--chunk-mib N] [--architecture N]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import cast

from benchmarks.gpu.errors import PackError
from benchmarks.gpu.pack import pack


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Pack, and print the sizes.

    Args:
        arguments: Command line without the program's name; the process's own when left out.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("pack", help="write the chunks")
    command.add_argument("--into", type=Path, required=True, help="folder for the chunks")
    command.add_argument(
        "--chunk-mib", type=_positive, default=58, help="a chunk's size at most (default: 58)"
    )
    command.add_argument(
        "--architecture",
        type=_positive,
        help="carry vLLM's GPU code for this one only, e.g. 90 for Hopper (default: for all)",
    )
    chosen = parser.parse_args(arguments)
    try:
        manifest = pack(chosen.into, chosen.chunk_mib, chosen.architecture)
    except (PackError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, size in cast("dict[str, int]", manifest["bytes"]).items():
        print(f"{name:10} {size / (1 << 20):8.1f} MiB unpacked")
    for name, size in cast("dict[str, int]", manifest["chunks"]).items():
        print(f"{name:10} {size / (1 << 20):8.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
