"""Bring images into containerd: the pause image from its binary, others from buildah's storage."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.addresses import REGISTRY
from e2e.cluster.build import Report
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import Layout

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
PLATFORM = {"architecture": "amd64", "os": "linux"}


def ctr(layout: Layout, *words: str) -> list[str]:
    """A containerd command in the namespace where the kubelet's images and containers are."""
    return ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *words]


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


def image_archive(reference: str, program: bytes, name: str) -> bytes:
    """An OCI archive of an image that holds one static program and runs it."""
    layer = tar({name: program})
    config = json.dumps(
        {
            **PLATFORM,
            "config": {"Entrypoint": [f"/{name}"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, config),
            "layers": [descriptor(LAYER, layer)],
        }
    ).encode()
    names = {"io.containerd.image.name": reference}
    entry = {**descriptor(MANIFEST, manifest), "platform": PLATFORM, "annotations": names}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    blobs = {f"blobs/sha256/{digest(b)[7:]}": b for b in (layer, config, manifest)}
    marker = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    return tar({**marker, "index.json": index, **blobs})


def pause_reference(layout: Layout) -> str:
    """The name of the sandbox image, by its content."""
    program = Path(layout.binary("pause")).read_bytes()
    return f"localhost/pause:{digest(program)[7:19]}"


def ensure_pause(layout: Layout) -> None:
    """Put the sandbox image into containerd unless it is there."""
    reference = pause_reference(layout)
    if target(layout, reference):
        return
    archive = image_archive(reference, Path(layout.binary("pause")).read_bytes(), "pause")
    _run(ctr(layout, "images", "import", "-"), archive)


def target(layout: Layout, reference: str) -> str:
    """The digest that a name stands for in containerd, empty for none."""
    listed = _run(ctr(layout, "images", "list", f"name=={reference}")).splitlines()[1:]
    return next((w for w in listed[0].split() if w.startswith("sha256:")), "") if listed else ""


def source_argv(reference: str) -> list[str]:
    """The command that tells an image's identity in buildah's storage."""
    return ["buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", reference]


def push_argv(reference: str) -> list[str]:
    """The command that brings to the registry what it lacks.

    Layers stay uncompressed: squeezing gigabytes takes longer than copying them, and an
    unchanged layer is known by its digest without being read.
    """
    plain = ("--tls-verify=false", "--disable-compression", "--quiet")
    return ["buildah", "push", *plain, reference, f"docker://{REGISTRY}/{reference}"]


def load_image(layout: Layout, reference: str, report: Report) -> None:
    """Make an image of buildah's storage runnable in pods under exactly its name."""
    found = subprocess.run(source_argv(reference), capture_output=True, text=True, check=False)
    if found.returncode:
        raise ClusterError(
            f"{reference} is not in buildah's storage of this user: {found.stderr.strip()}. "
            "`buildah images` lists what there is; `python -m images build` builds ours."
        )
    if found.stdout.strip() == loaded_id(layout, reference):
        report(f"{reference}: loaded already")
        return
    staged = f"{REGISTRY}/{reference}"
    report(f"{reference}: to the registry")
    _run(push_argv(reference))
    report(f"{reference}: from the registry into containerd")
    _run(ctr(layout, "images", "pull", "--plain-http", staged))
    _run(ctr(layout, "images", "tag", "--force", staged, reference))
    _run(ctr(layout, "images", "remove", staged))
    report(f"{reference}: loaded")


def loaded_id(layout: Layout, reference: str) -> str:
    """The identity of an image in containerd as buildah writes it, empty for none."""
    manifest = target(layout, reference)
    if not manifest:
        return ""
    content = json.loads(_run(ctr(layout, "content", "get", manifest)))
    config: str = content.get("config", {}).get("digest", "")
    return config.removeprefix("sha256:")


def _run(argv: list[str], stdin: bytes = b"") -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()
        raise ClusterError(
            f"`{' '.join(argv)}` ended with status {done.returncode}: {words}. "
            "`python -m e2e.cluster status` tells whether containerd and the registry are well."
        )
    return done.stdout.decode()
