"""Write the documentation's pictures.

`python -m docsite.generate` writes, `--check` compares and fails on drift.
"""

import argparse
import sys
from pathlib import Path

from docsite.figures.pictures import PICTURES

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"


def outputs() -> dict[Path, str]:
    """Every generated file with its content."""
    return {IMAGES / f"{name}.svg": draw().svg() for name, draw in PICTURES.items()}


def main() -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a file differs")
    check = parser.parse_args().check
    stale = []
    for path, content in outputs().items():
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(path.name)
        if not check:
            path.write_text(content, encoding="utf-8")
    for name in stale:
        sys.stdout.write(f"{'differs' if check else 'wrote'}: docs/images/{name}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
