"""The engine of kube-network-policies beside the cluster: each new connection of a pod asks it.

iptables leads the first packet of a connection to a netfilter queue, where the engine judges it by
the NetworkPolicies of the API server. What the node itself sends passes, as with every engine:
kubelet's probes.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from e2e.cluster.addresses import NODE_NAME, POD_RANGE
from e2e.stack.commands import CommandError, run
from e2e.stack.gotool import gotool

MODULE = Path(__file__).parent / "go"
QUEUE = 64
_FROM_PODS = ("-s", POD_RANGE)
_TO_PODS = ("-d", POD_RANGE)
# What pods send to the node (API server, DNS), to each other and out, and what comes in.
_WAYS = (("INPUT", _FROM_PODS), ("FORWARD", _FROM_PODS), ("FORWARD", _TO_PODS))


def _iptables(change: str, way: tuple[str, tuple[str, str]]) -> None:
    chain, whose = way
    run(
        *("iptables", "-w", change, chain, *whose),
        *("-m", "conntrack", "--ctstate", "NEW", "-j", "NFQUEUE", "--queue-num", str(QUEUE)),
    )


@contextlib.contextmanager
def enforcing(kubeconfig: str, log: Path) -> Iterator[None]:
    """Judge connections while the context lasts.

    Raises:
        CommandError: the engine ended by itself, with its last words.
    """
    command = [
        str(gotool(MODULE)),
        f"--kubeconfig={kubeconfig}",
        f"--node={NODE_NAME}",
        f"--queue={QUEUE}",
    ]
    with contextlib.ExitStack() as undo:
        written = undo.enter_context(log.open("wb"))
        engine = undo.enter_context(subprocess.Popen(command, stdout=written, stderr=written))
        undo.callback(engine.terminate)
        for way in _WAYS:
            # Without a listener the kernel drops what is queued: no gap in which all is open.
            _iptables("-I", way)
            undo.callback(_iptables, "-D", way)
        yield
        if engine.poll() is not None:
            raise CommandError(f"the policy engine ended: {log.read_text()[-2000:]}")
