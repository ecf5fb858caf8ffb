"""The talking Qwen's weights on a PersistentVolume, as a user would serve weights from a PVC."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from e2e.cluster.layout import cache_folder
from e2e.stack.commands import apply, kubectl
from e2e.tiny_qwen.school.writing import SUMS, TALKING, publish

CLAIM = "tiny-qwen-weights"
_SIZE = "1Gi"


def copy_weights() -> Path:
    """Copy the committed model to where every user may read it; named by its content."""
    content = sha256((TALKING / SUMS).read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"tiny-qwen-{content}"
    if not (folder / SUMS).exists():
        publish(TALKING, folder)
    return folder


def offer_weights(namespace: str = "default") -> None:
    """Create a PersistentVolume over the folder and a claim on it."""
    folder = copy_weights()
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
