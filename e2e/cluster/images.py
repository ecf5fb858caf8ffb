"""Bring images into containerd: pause from its binary, others from buildah's storage."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster import layers
from e2e.cluster.build import Report
from e2e.cluster.containerd import ctr, run
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

Part = Mapping[str, object]


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar archive, the same bytes for the same files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def digest(content: bytes) -> str:
    """A content's name in an image."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(kind: str, content: bytes) -> dict[str, object]:
    """How a manifest refers to a content."""
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


def archive(reference: str, config: bytes, parts: Sequence[Part], held: Sequence[bytes]) -> bytes:
    """An OCI archive of an image, holding those layers that it is given."""
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, config),
            "layers": parts,
        }
    ).encode()
    names = {"io.containerd.image.name": reference}
    entry = {**descriptor(MANIFEST, manifest), "annotations": names}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    blobs = {f"blobs/sha256/{digest(b)[7:]}": b for b in (config, manifest, *held)}
    marker = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    return tar({**marker, "index.json": index, **blobs})


def pause_archive(reference: str, program: bytes) -> bytes:
    """The sandbox image: one static program and nothing else."""
    layer = tar({"pause": program})
    config = {
        "architecture": ARCHITECTURES[os.uname().machine],
        "os": "linux",
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    }
    return archive(reference, json.dumps(config).encode(), [descriptor(LAYER, layer)], [layer])


def pause_reference(layout: Layout) -> str:
    """The name of the sandbox image, by its content."""
    program = Path(layout.binary("pause")).read_bytes()
    return f"localhost/pause:{digest(program)[7:19]}"


def ensure_pause(layout: Layout) -> None:
    """Put the sandbox image into containerd unless it is there."""
    reference = pause_reference(layout)
    if not target(layout, reference):
        content = pause_archive(reference, Path(layout.binary("pause")).read_bytes())
        run(ctr(layout, "images", "import", "-"), content)


def target(layout: Layout, reference: str) -> str:
    """The digest that a name stands for in containerd, empty for none."""
    listed = run(ctr(layout, "images", "list", f"name=={reference}")).splitlines()[1:]
    return next((w for w in listed[0].split() if w.startswith("sha256:")), "") if listed else ""


def loaded_id(layout: Layout, reference: str) -> str:
    """The identity of an image in containerd as buildah writes it, empty for none."""
    manifest = target(layout, reference)
    if not manifest:
        return ""
    content = json.loads(run(ctr(layout, "content", "get", manifest)))
    config: str = content.get("config", {}).get("digest", "")
    return config.removeprefix("sha256:")


def load_image(layout: Layout, reference: str, report: Report) -> None:
    """Make an image of buildah's storage runnable in pods under exactly its name."""
    inspect = ["buildah", "inspect", "--type", "image", "--format", "{{.Config}}", reference]
    found = subprocess.run(inspect, capture_output=True, text=True, check=False)
    if found.returncode:
        raise ClusterError(
            f"{reference} is not in buildah's storage of this user: {found.stderr.strip()}. "
            "`buildah images` lists what there is; `python -m images build` builds ours."
        )
    config = found.stdout.removesuffix("\n").encode()
    image = digest(config).removeprefix("sha256:")
    if image == loaded_id(layout, reference):
        report(f"{reference}: loaded already")
        return
    began = time.monotonic()
    info = json.loads(run(["buildah", "info"]))
    if layers.is_linkable(info):
        _link(layout, reference, config, layers.read_stack(Path(info["store"]["GraphRoot"]), image))
    else:
        _copy(layout, reference)
    report(f"{reference}: loaded in {time.monotonic() - began:.1f} s")


def _link(layout: Layout, reference: str, config: bytes, stack: Sequence[layers.Layer]) -> None:
    parts = [{"mediaType": LAYER, "digest": part.digest, "size": part.size} for part in stack]
    chain = layers.link(layout, stack)
    # Unpacking finds every snapshot there, and only notes that the image needs them.
    run(ctr(layout, "images", "import", "-"), archive(reference, config, parts, []))
    layers.release(layout, chain)


def _copy(layout: Layout, reference: str) -> None:
    """Take the way through an archive, for storage drivers with a form of their own."""
    with tempfile.TemporaryDirectory(dir=layout.live) as folder:
        file = f"{folder}/image.tar"
        run(["buildah", "push", "--quiet", reference, f"oci-archive:{file}:{reference}"])
        run(ctr(layout, "images", "import", file))
