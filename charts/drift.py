"""Generated files: written where they differ from what they should be, or told."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path


def write_or_check(outputs: Mapping[Path, str], root: Path, description: str | None) -> int:
    """Write every file that differs; with `--check` on the command line fail instead.

    Args:
        outputs: path → what it should hold.
        root: what printed paths are relative to.
        description: for `--help`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="fail if a file differs")
    check = parser.parse_args().check
    stale = []
    for path, content in outputs.items():
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(path.relative_to(root))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    for path in stale:
        sys.stdout.write(f"{'differs' if check else 'wrote'}: {path}\n")
    return 1 if check and stale else 0
