"""The command line of the embedded cluster."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

from e2e.cluster import inspection, lifecycle, machine, nodes
from e2e.cluster.addresses import GPU
from e2e.cluster.build import binaries_folder, ensure_binaries
from e2e.cluster.errors import ClusterError
from e2e.cluster.images import load_image
from e2e.cluster.layout import Layout, state_folder

READY = "ready"


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = argparse.ArgumentParser(prog="python -m e2e.cluster", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build its binaries, which `up` does as well, into the cache")
    up = commands.add_parser("up", help="start the cluster, or what of it does not run")
    up.add_argument("--gpus", type=_count, help="how many GPUs the node advertises")
    up.add_argument("--fake-nodes", type=_count, help="how many nodes with 8 GPUs to pretend")
    up.add_argument(
        "--no-node", action="store_true", help="start only the control plane: pods are pretended"
    )
    down = commands.add_parser("down", help="stop it and remove all that it made")
    down.add_argument("--purge", action="store_true", help="delete loaded images and logs too")
    commands.add_parser("status", help="tell how each part is; 0 only when all is well")
    commands.add_parser("kubeconfig", help="print the path of the administrator's kubeconfig")
    commands.add_parser("env", help="print shell exports for kubectl and helm")
    load = commands.add_parser("load-image", help="make images of buildah's storage runnable")
    load.add_argument("reference", nargs="+")
    logs = commands.add_parser("logs", help="print a component's log; `audit` is the audit log")
    logs.add_argument("name")
    logs.add_argument("-n", type=_count, default=100, dest="lines", help="how many lines")
    logs.add_argument("-f", action="store_true", dest="follow", help="go on as it grows")
    return top


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors end in words and status 1."""
    chosen = parser().parse_args(arguments)
    try:
        return run(chosen)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return 1


def run(chosen: argparse.Namespace) -> int:
    """Do what was chosen."""
    layout = Layout(state_folder(), binaries_folder())
    match chosen.command:
        case "build":
            print(ensure_binaries(_report))
        case "up":
            return _up(layout, lifecycle.Wishes(chosen.gpus, chosen.fake_nodes, chosen.no_node))
        case "down":
            machine.check_root()
            with lifecycle.alone(layout, _report):
                lifecycle.down(layout, _report, purge=chosen.purge)
        case "status":
            return _status(layout)
        case "kubeconfig":
            inspection.require_running(layout)
            print(layout.admin_kubeconfig)
        case "env":
            inspection.require_running(layout)
            print(inspection.exports(layout))
        case "load-image":
            inspection.require_running(layout)
            for reference in chosen.reference:
                load_image(layout, reference, _report)
        case _:
            return _logs(layout, chosen)
    return 0


def _up(layout: Layout, wishes: lifecycle.Wishes) -> int:
    began = time.monotonic()
    machine.check_root()
    machine.check_owner(layout.state)
    machine.install_packages(_report)
    ensure_binaries(_report)
    with lifecycle.alone(layout, _report):
        lifecycle.up(layout, wishes, _report)
    _report(f"the cluster is up ({time.monotonic() - began:.1f} s)")
    return 0


def _status(layout: Layout) -> int:
    rows = inspection.status(layout)
    for name, pid, state in rows:
        print(f"{name:<26}{pid:<9}{state}")
    well = all(state == READY for _, _, state in rows)
    if well:
        if (node := nodes.read_node(layout)) is not None:
            print(f"{'GPUs':<35}{node['status']['allocatable'].get(GPU, '0')}")
        print(f"{'fake nodes':<35}{len(nodes.read_fake_nodes(layout))}")
    return 0 if well else 1


def _logs(layout: Layout, chosen: argparse.Namespace) -> int:
    file = layout.log(chosen.name)
    if not file.exists():
        names = ", ".join(sorted(p.stem for p in layout.logs.glob("*.log")))
        raise ClusterError(f"There is no log of {chosen.name}. There are: {names or 'none yet'}")
    follow = ["-F"] if chosen.follow else []
    return subprocess.run(["tail", "-n", str(chosen.lines), *follow, file], check=False).returncode


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
