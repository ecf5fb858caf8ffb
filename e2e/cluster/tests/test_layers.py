"""Images: names of layers, archives, and what buildah's storage says."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import images, layers
from e2e.cluster.errors import ClusterError


def sha(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_a_chain_names_each_layer_with_all_below_it() -> None:
    second = sha("sha256:a sha256:b")
    assert layers.chain_ids(["sha256:a", "sha256:b", "sha256:c"]) == [
        "sha256:a",
        second,
        sha(f"{second} sha256:c"),
    ]
    assert layers.chain_ids([]) == []


def test_a_stack_is_read_from_the_bottom() -> None:
    listed: list[dict[str, Any]] = [
        {"id": "top", "parent": "base", "diff-digest": "sha256:2", "diff-size": 20},
        {"id": "base", "diff-digest": "sha256:1", "diff-size": 10},
        {"id": "other", "diff-digest": "sha256:3"},
    ]
    assert layers.layer_stack(Path("/store"), listed, "top") == [
        layers.Layer("sha256:1", 10, Path("/store/overlay/base/diff")),
        layers.Layer("sha256:2", 20, Path("/store/overlay/top/diff")),
    ]


@pytest.mark.parametrize(
    ("driver", "native", "linkable"),
    [("overlay", "true", True), ("overlay", "false", False), ("vfs", None, False)],
)
def test_only_plain_overlay_storage_is_linked(
    driver: str, native: str | None, *, linkable: bool
) -> None:
    status = {"Native Overlay Diff": native} if native else {}
    info = {"store": {"GraphDriverName": driver, "GraphStatus": status}}
    assert layers.is_linkable(info) is linkable


BIND = [{"Type": "bind", "Source": "/s/snapshots/7/fs", "Options": ["rw", "rbind"]}]
LOWER = "lowerdir=/s/snapshots/6/fs:/s/snapshots/5/fs"
UPPER = ["workdir=/s/snapshots/7/work", "upperdir=/s/snapshots/7/fs", LOWER]
OVERLAY = [{"Type": "overlay", "Source": "overlay", "Options": UPPER}]


@pytest.mark.parametrize("printed", [json.dumps(BIND), json.dumps(OVERLAY, indent=2)])
def test_the_folder_to_fill_is_the_upper_one(printed: str) -> None:
    assert layers.snapshot_folder(printed) == Path("/s/snapshots/7/fs")


def test_mounts_without_a_folder_are_refused() -> None:
    with pytest.raises(ClusterError, match="no snapshot folder"):
        layers.snapshot_folder("[]")


def test_an_archive_is_the_same_bytes_twice_and_every_blob_has_its_digest() -> None:
    packed = images.pause_archive("localhost/pause:1", b"program")
    assert images.pause_archive("localhost/pause:1", b"program") == packed
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        held = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    blobs = {name: blob for name, blob in held.items() if name.startswith("blobs/")}
    assert len(blobs) == 3
    assert all(name.endswith(hashlib.sha256(blob).hexdigest()) for name, blob in blobs.items())
    entry = json.loads(held["index.json"])["manifests"][0]
    assert entry["annotations"]["io.containerd.image.name"] == "localhost/pause:1"
    manifest = json.loads(blobs[f"blobs/sha256/{entry['digest'][7:]}"])
    config = json.loads(blobs[f"blobs/sha256/{manifest['config']['digest'][7:]}"])
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
