"""The tiny Qwen's weights on a PersistentVolume, as a user would serve weights from a PVC."""

from pathlib import Path
from typing import Any

from e2e.cluster.layout import cache_folder
from e2e.stack.commands import ROOT, apply, kubectl, module, run

CLAIM = "tiny-qwen-weights"
_SIZE = "1Gi"


def _folder() -> Path:
    """Where the weights lie on this machine, by the content of the script that makes them."""
    from hashlib import sha256  # noqa: PLC0415 - used here only

    scripts = sorted((ROOT / "e2e" / "tiny_qwen").glob("*.*"))
    content = sha256(b"".join(each.read_bytes() for each in scripts)).hexdigest()[:12]
    return cache_folder() / f"tiny-qwen-{content}"


def make_weights() -> Path:
    """Write the model folder unless it is there."""
    folder = _folder()
    if not (folder / "config.json").exists():
        run(*module("e2e.tiny_qwen", str(folder)), timeout=300)
    return folder


def offer_weights(namespace: str = "default") -> None:
    """Create a PersistentVolume over the folder and a claim on it."""
    folder = make_weights()
    volume: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{CLAIM}"},
        "spec": {
            "capacity": {"storage": _SIZE},
            "accessModes": ["ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {"namespace": namespace, "name": CLAIM},
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }
    claim: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "volumeName": f"{namespace}-{CLAIM}",
            "resources": {"requests": {"storage": _SIZE}},
        },
    }
    apply(volume, claim, namespace=namespace)
    kubectl(
        "wait",
        "-n",
        namespace,
        "--for=jsonpath={.status.phase}=Bound",
        f"pvc/{CLAIM}",
        "--timeout=30s",
    )
