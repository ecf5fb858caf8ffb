"""Command line of the tiny Qwen: `python -m e2e.tiny_qwen OUTDIR [--seed N]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from e2e.tiny_qwen.folder import write_model


def main(arguments: list[str] | None = None) -> int:
    """Write the model folder and name its files.

    Args:
        arguments: command line without the program's name; the process's own when left out.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m e2e.tiny_qwen",
        description="Write a tiny random Qwen2 chat model: real enough for vLLM, its answers are "
        "nonsense made of readable words.",
    )
    parser.add_argument("outdir", type=Path, help="folder to write the model to")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights (default: 0)")
    chosen = parser.parse_args(arguments)
    try:
        written = write_model(chosen.outdir, chosen.seed)
    except OSError as error:
        print(
            f"cannot write the tiny Qwen to {chosen.outdir}: {error.strerror or error}; "
            "name a folder that can be written",
            file=sys.stderr,
        )
        return 1
    for path in written:
        print(f"{path} {path.stat().st_size}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
