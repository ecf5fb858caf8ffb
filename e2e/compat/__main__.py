"""Tries the backend with other vLLMs: python -m e2e.compat {run,read,lock} [VERSION ...].

`run` needs root and some 10 minutes a version, beside 3 GB and a few minutes the first time; `read`
reads the wheels of all the versions that NVIDIA's images hold, and needs seconds.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from e2e.compat import calls, results
from e2e.compat.engine_arguments import VERSIONS
from e2e.compat.environment import NotMade
from e2e.compat.locking import lock
from e2e.compat.running import run
from e2e.compat.versions import TRIED
from e2e.compat.wheels import wheel
from qwen_operator.compat.images import CPU_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the status is 1 where a test failed."""
    known = [each.vllm for each in TRIED]
    parser = argparse.ArgumentParser(prog="python -m e2e.compat", description=__doc__)
    parser.add_argument("command", choices=("run", "read", "lock"))
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"of {', '.join(known)}")
    parser.add_argument("--only", nargs="*", default=[], metavar="FILE", help="of the tests")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.versions) - {*known, CPU_VERSION})
    if unknown:
        parser.error(f"no {', '.join(unknown)}; there are {', '.join(known)}, {CPU_VERSION}")
    try:
        match chosen.command:
            case "lock":
                for version in TRIED:
                    lock(version)
            case "read":
                _read()
            case _:
                return _run(chosen.versions or [*known, CPU_VERSION], chosen.only)
    except NotMade as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _read() -> None:
    found = results.load()
    for version in VERSIONS:
        found.calls[version] = calls.missing(wheel(version), calls.CALLS)
        found.sharing[version] = calls.missing(wheel(version), calls.SHARING)
        found.metrics[version] = calls.missing_metrics(wheel(version))
        lacks = [*found.calls[version], *found.sharing[version], *found.metrics[version]]
        print(f"{version}: {', '.join(lacks) or 'has all'}")
    found.save()


def _run(versions: Sequence[str], only: Sequence[str]) -> int:
    by_name = {each.vllm: each for each in TRIED}
    failed = 0
    for name in versions:
        print(f"vLLM {name}", flush=True)
        outcomes = run(by_name.get(name), only)
        # Read again: another run may have written meanwhile.
        found = results.load()
        found.run.setdefault(name, {}).update(outcomes)
        found.save()
        for file, outcome in outcomes.items():
            failed += len(outcome.failed)
            print(f"  {file}: {outcome.passed} passed, {len(outcome.failed)} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
