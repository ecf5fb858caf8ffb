"""`python -m e2e.bench_scale`: 1,000 QwenDeployments on the embedded cluster, measured."""

import argparse
import asyncio
import platform
import sys
import tempfile
import time
from pathlib import Path

from e2e.bench_scale import phases
from e2e.bench_scale.audit import AuditLog
from e2e.bench_scale.engines import serve
from e2e.bench_scale.figures import table
from e2e.bench_scale.fleet import fleet
from e2e.bench_scale.floor import floor
from e2e.bench_scale.operator_process import ROOT, OperatorProcess
from e2e.bench_scale.report import hardware, write
from e2e.cluster import inspection
from e2e.cluster.build import binaries_folder
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout, state_folder

DOCUMENT = ROOT / "docs" / "performance.md"
_COOL_SECONDS = 5.0


def _options() -> argparse.Namespace:
    top = argparse.ArgumentParser(prog="python -m e2e.bench_scale", description=__doc__)
    top.add_argument("-n", type=int, default=1000, dest="count", help="how many QwenDeployments")
    top.add_argument("--idle", type=float, default=300, help="seconds to leave the operator alone")
    top.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.name}")
    return top.parse_args()


async def _measure(layout: Layout, options: argparse.Namespace, folder: Path) -> phases.Run:
    log = folder / "operator.log"
    async with fleet(layout, options.count) as made, serve() as engines:
        await made.prepare()
        audit = AuditLog(layout.log("audit"))
        phases.say("creating without an operator")
        least = await floor(made, audit)
        operator = OperatorProcess(layout.admin_kubeconfig, log)
        run = phases.Run(made, engines, audit, operator, layout, log)
        run.note(*least)
        try:
            await run.operator.wait_until_ready()
            await asyncio.sleep(_COOL_SECONDS)
            phases.say("creating")
            await phases.creation(run)
            phases.say("editing")
            await phases.edits(run)
            phases.say("idling")
            await phases.idleness(run, options.idle)
            phases.say("restarting")
            await phases.restart(run)
            phases.say("letting pods hang and engines die")
            await phases.detection(run)
            phases.finish(run)
        finally:
            await run.operator.stop()
            audit.close()
    return run


def main() -> int:
    """Measure; the exit status is 1 if a bar is missed."""
    options = _options()
    layout = Layout(state_folder(), binaries_folder())
    try:
        inspection.require_running(layout)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as name:
        run = asyncio.run(_measure(layout, options, Path(name)))
    text = table(run.rows)
    where = f"{time.strftime('%Y-%m-%d')}, {hardware()}, Python {platform.python_version()}"
    print(f"\n{options.count} QwenDeployments; {where}\n\n{text}")
    if options.write:
        write(DOCUMENT, f"{options.count:,} QwenDeployments; {where}", text)
    return 0 if all(row.is_met for row in run.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
