"""The node's address, its forwarding rule, and the way back to a machine without them."""

import json
import subprocess
import time
from pathlib import Path

from e2e.cluster.addresses import BRIDGE, NODE_IP, POD_RANGE
from e2e.cluster.errors import ClusterError

TABLES = ("filter", "nat", "mangle")
CHAIN_PREFIX = "KUBE-"
COMMENT = "qwen-operator"
# Where the machine's policy is to forward nothing (Docker sets it), pods still meet.
FORWARD_RULE = (
    *("FORWARD", "-s", POD_RANGE, "-d", POD_RANGE),
    *("-m", "comment", "--comment", COMMENT, "-j", "ACCEPT"),
)
# The cluster needs the first; the kubelet sets the others when it starts.
SETTINGS = (
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
SYSCTL = Path("/proc/sys")


def owner() -> str | None:
    """The state folder of the cluster that holds this machine's bridge, if there is one."""
    shown = subprocess.run(
        ["ip", "-json", "link", "show", "dev", BRIDGE], capture_output=True, text=True, check=False
    )
    if shown.returncode:
        return None
    return str(json.loads(shown.stdout)[0].get("ifalias", ""))


def create(state: Path, saved: Path) -> None:
    """Make the bridge that holds the node's address, and let the machine forward."""
    save_settings(saved)
    (SYSCTL / SETTINGS[0]).write_text("1")
    # A bridge, since a machine may have no dummy device.
    for words in (
        ["ip", "link", "add", "name", BRIDGE, "type", "bridge"],
        ["ip", "link", "set", "dev", BRIDGE, "alias", str(state)],
        ["ip", "addr", "replace", f"{NODE_IP}/32", "dev", BRIDGE],
        ["ip", "link", "set", "dev", BRIDGE, "up"],
    ):
        if words[2] != "add" or owner() is None:
            _run(words)
    check = ["iptables", "-w", "-C", *FORWARD_RULE]
    if subprocess.run(check, capture_output=True, check=False).returncode:
        _run(["iptables", "-w", "-I", *FORWARD_RULE])


def save_settings(saved: Path) -> None:
    """Remember the machine's settings, unless an earlier `up` did so already."""
    if saved.exists():
        return
    found = {s: (SYSCTL / s).read_text().strip() for s in SETTINGS if (SYSCTL / s).exists()}
    written = saved.with_suffix(".new")
    written.write_text(json.dumps(found))
    written.rename(saved)


def restore_settings(saved: Path) -> None:
    """Put the machine's settings back."""
    if not saved.exists():
        return
    for name, value in json.loads(saved.read_text()).items():
        if (SYSCTL / name).read_text().strip() != value:
            (SYSCTL / name).write_text(value)


def pod_links(routes: str) -> list[str]:
    """The node's ends of the pods' cables, from `ip -json route show` of the pods' range."""
    return sorted({route["dev"] for route in json.loads(routes or "[]") if route["dev"] != BRIDGE})


def remove() -> None:
    """Take the bridge and the pods' cables away."""
    deadline = time.monotonic() + 5
    # The kernel removes a pod's cable some time after the pod's network namespace.
    while (links := _pod_links_now()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for link in links:
        subprocess.run(["ip", "link", "del", "dev", link], capture_output=True, check=False)
    if owner() is not None:
        _run(["ip", "link", "del", "dev", BRIDGE])


def _pod_links_now() -> list[str]:
    argv = ["ip", "-json", "route", "show", "root", POD_RANGE]
    return pod_links(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def is_ours(line: str) -> bool:
    """Whether a line of iptables-save was made by the cluster."""
    words = line.split()
    return any(word.lstrip(":").startswith(CHAIN_PREFIX) for word in words) or COMMENT in words


def removal(table: str, saved: str) -> str:
    """What iptables-restore --noflush must read to remove our rules and chains from a table."""
    lines = [line for line in saved.splitlines() if is_ours(line)]
    chains = [line[1:].split()[0] for line in lines if line.startswith(":")]
    rules = [line for line in lines if line.startswith("-A ")]
    kept = [r for r in rules if not r.split()[1].startswith(CHAIN_PREFIX)]
    if not chains and not kept:
        return ""
    return "\n".join(
        [
            f"*{table}",
            *("-D" + rule[2:] for rule in kept),
            *(f"-F {chain}" for chain in chains),
            *(f"-X {chain}" for chain in chains),
            "COMMIT\n",
        ]
    )


def remove_rules() -> None:
    """Remove the chains and rules that kube-proxy and we made, in both address families."""
    for family in ("iptables", "ip6tables"):
        for table in TABLES:
            saved = subprocess.run(
                [f"{family}-save", "-t", table], capture_output=True, text=True, check=False
            ).stdout
            if script := removal(table, saved):
                _run([f"{family}-restore", "--noflush", "-w"], script)


def _run(argv: list[str], stdin: str = "") -> None:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(
            f"`{' '.join(argv)}` ended with status {done.returncode}: {done.stderr.strip()}. "
            "The cluster needs root and the capability CAP_NET_ADMIN for its network."
        )
