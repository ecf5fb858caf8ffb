"""Hand layers from buildah's storage to containerd as they lie on disk, by hard links.

Both keep a layer as one folder in the form that overlayfs reads, and neither ever writes
to it again. Linking gigabytes takes a second; packing, copying and unpacking them took two
minutes. Containerd gets each layer as a snapshot under the name that it would give it itself.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster.containerd import ctr, run
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout

# What prepare and commit put on a snapshot so that it lives before an image refers to it.
ROOT_LABEL = "containerd.io/gc.root"
# Buildah leaves its folder mounted onto itself, and no link crosses a mount: in a mount
# namespace of its own, the command looks below that.
LINK = (
    *("unshare", "--mount", "--propagation", "private", "sh", "-ec"),
    'while mountpoint -q "$1"; do umount --lazy "$1"; done; exec cp --archive --link "$2" "$3"',
    "link",
)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer in buildah's storage: digest and size of its tar, and the unpacked folder."""

    digest: str
    size: int
    folder: Path


def chain_ids(digests: Sequence[str]) -> list[str]:
    """The names of the snapshots that hold each layer on top of those before it."""
    chain: list[str] = []
    for digest in digests:
        joined = f"{chain[-1]} {digest}" if chain else ""
        chain.append("sha256:" + hashlib.sha256(joined.encode()).hexdigest() if chain else digest)
    return chain


def is_linkable(info: Mapping[str, Any]) -> bool:
    """Whether `buildah info` tells of layers kept as overlayfs reads them anywhere."""
    store = info["store"]
    native: object = store.get("GraphStatus", {}).get("Native Overlay Diff")
    return store["GraphDriverName"] == "overlay" and native == "true"


def layer_stack(root: Path, layers: Sequence[Mapping[str, Any]], top: str | None) -> list[Layer]:
    """The layers of an image, lowest first, from the storage's own list of them."""
    by_id = {layer["id"]: layer for layer in layers}
    stack: list[Layer] = []
    while top:
        found = by_id[top]
        folder = root / "overlay" / top / "diff"
        stack.append(Layer(found["diff-digest"], int(found.get("diff-size", 0)), folder))
        top = found.get("parent")
    return stack[::-1]


def read_stack(root: Path, image: str) -> list[Layer]:
    """The layers of an image in buildah's storage."""
    images = json.loads((root / "overlay-images/images.json").read_text())
    layers = json.loads((root / "overlay-layers/layers.json").read_text())
    top = next(each["layer"] for each in images if each["id"] == image)
    return layer_stack(root, layers, top)


def snapshot_folder(mounts: str) -> Path:
    """Where a prepared snapshot's files belong, from the mounts that containerd prints."""
    folders = re.findall(r'(?:upperdir=|"Source": ?")(/[^":,]+/snapshots/\d+/fs)', mounts)
    if len(folders) != 1:
        raise ClusterError(f"containerd's mounts name no snapshot folder: {mounts.strip()}")
    return Path(folders[0])


def copy_argv(source: Path, target: Path) -> list[str]:
    """The command that fills a snapshot: by links, or by copies from another disk."""
    ends = [f"{source}/.", f"{target}/"]
    if source.stat().st_dev == target.stat().st_dev:
        return [*LINK, str(source.parent.parent), *ends]
    return ["cp", "--archive", "--reflink=auto", *ends]


def link(layout: Layout, stack: Sequence[Layer]) -> list[str]:
    """Make the snapshots of a stack that are missing, and name all of them."""
    chain = chain_ids([layer.digest for layer in stack])
    for number, (layer, name) in enumerate(zip(stack, chain, strict=True)):
        if not _has_snapshot(layout, name):
            _link_one(layout, layer, name, chain[number - 1] if number else None)
    return chain


def release(layout: Layout, chain: Sequence[str]) -> None:
    """Leave the snapshots to the image that refers to them now."""
    for name in chain:
        run(ctr(layout, "snapshots", "label", name, f"{ROOT_LABEL}="))


def _has_snapshot(layout: Layout, name: str) -> bool:
    asked = ctr(layout, "snapshots", "info", name)
    return not subprocess.run(asked, capture_output=True, check=False).returncode


def _link_one(layout: Layout, layer: Layer, name: str, parent: str | None) -> None:
    key = f"linking-{name}"
    if _has_snapshot(layout, key):
        run(ctr(layout, "snapshots", "remove", key))
    below = [parent] if parent else []
    folder = snapshot_folder(run(ctr(layout, "snapshots", "prepare", "--mounts", key, *below)))
    run(copy_argv(layer.folder, folder))
    run(ctr(layout, "snapshots", "commit", name, key))
