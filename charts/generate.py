"""Write what is made from the chart's values.yaml: their schema, and their table in its README.

`python -m charts.generate` writes, `--check` compares and fails on drift.
"""

import json
import sys
from pathlib import Path

from charts.drift import write_or_check
from charts.reference import readme
from charts.schema import schema
from charts.values import entries

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "qwen-operator"


def outputs() -> dict[Path, str]:
    """Every generated file with its content."""
    values = entries((CHART / "values.yaml").read_text(encoding="utf-8"))
    present = (CHART / "README.md").read_text(encoding="utf-8")
    return {
        CHART / "values.schema.json": json.dumps(schema(values), indent=2, ensure_ascii=False)
        + "\n",
        CHART / "README.md": readme(present, values),
    }


if __name__ == "__main__":
    sys.exit(write_or_check(outputs(), ROOT, __doc__))
