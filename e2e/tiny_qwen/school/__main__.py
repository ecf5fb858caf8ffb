"""Command line of the school: `python -m e2e.tiny_qwen.school`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from e2e.tiny_qwen.school.examining import mistakes, questions
from e2e.tiny_qwen.school.reading import read
from e2e.tiny_qwen.school.training import Course, trained
from e2e.tiny_qwen.school.writing import SHAPE, TALKING, publish, vocabulary, write_talking


def main(arguments: list[str] | None = None) -> int:
    """Train, examine, and replace the committed model if every expected answer is given.

    Args:
        arguments: command line without the program's name; the process's own when left out.

    Returns:
        The exit status.
    """
    usual = Course()
    parser = argparse.ArgumentParser(
        prog="python -m e2e.tiny_qwen.school", description="Train the tiny Qwen that talks."
    )
    parser.add_argument(
        "--seed", type=int, default=usual.seed, help=f"seed (default: {usual.seed})"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=usual.steps,
        help=f"batches to learn from (default: {usual.steps})",
    )
    parser.add_argument(
        "--out", type=Path, default=TALKING, help="folder to write to (default: the committed one)"
    )
    chosen = parser.parse_args(arguments)
    words = vocabulary()
    course = Course(seed=chosen.seed, steps=chosen.steps)
    weights = trained(SHAPE, words, course, lambda line: print(line, flush=True))
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder)
        write_talking(draft, words, weights)
        wrong = mistakes(read(draft).answer)
        if wrong:
            print(*wrong, sep="\n", file=sys.stderr)
            print(
                f"error: {len(wrong)} of {len(questions())} answers are wrong, so nothing is "
                f"written to {chosen.out}; try another --seed or more --steps",
                file=sys.stderr,
            )
            return 1
        print(f"all {len(questions())} answers are right")
        for path in publish(draft, chosen.out):
            print(f"{path} {path.stat().st_size}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
