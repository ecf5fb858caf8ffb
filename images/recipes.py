"""What each image is made of, and the name that follows from it.

Nothing here touches buildah: an image's reference is a pure function of the files that go in, so an
image that is there under its reference need not be built again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from images.errors import ImagesError

ROOT = Path(__file__).resolve().parent.parent
SUITE = "bookworm"

# What any Debian image has and the packages named in the lists need at build or run time.
SYSTEM_PACKAGES = (
    "base-files",
    "base-passwd",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "grep",
    "libc-bin",
    "sed",
)

# What was unpacked, where scanners look for it in images that dpkg did not make: a file for each
# package, its control paragraph and the archive's own hash.
RECORD_HOOK = """set -e
d="$1/var/lib/dpkg/status.d"; mkdir -p "$d"
for f in "$1"/var/cache/apt/archives/*.deb; do
    n=$(dpkg-deb --field "$f" Package)
    dpkg-deb --field "$f" > "$d/$n"
    echo "SHA256: $(sha256sum < "$f" | cut -d ' ' -f 1)" >> "$d/$n"
done"""

# What the configuration of Debian's Python would make; a read-only root file system keeps none.
_BYTECODE = "python3.11 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11"

BASE_REPOSITORY = "localhost/qwen-image-base"
TOOLS_PACKAGES = "images/tools/packages.txt"
_TOOLS = ("images/install-packages.sh", TOOLS_PACKAGES, "requirements/uv.txt")
_NEVER_INPUT = {"__pycache__", ".mypy_cache", ".ruff_cache"}


@dataclass(frozen=True)
class Recipe:
    """One image.

    Attributes:
        name: What the command line calls it; its folder under images/ has this name.
        repository: Reference without the tag.
        inputs: Files and folders, relative to the repository root, that the Containerfile copies.
        keep_layers: Reuse unchanged steps. It costs a second copy of all that a build stage
            makes, so it pays only where a late step changes often.
    """

    name: str
    repository: str
    inputs: tuple[str, ...]
    keep_layers: bool

    @property
    def containerfile(self) -> str:
        """Path of the Containerfile, relative to the repository root."""
        return f"images/{self.name}/Containerfile"

    @property
    def packages(self) -> str:
        """Path of the list of Debian packages that the final stage needs."""
        return f"images/{self.name}/packages.txt"


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="operator",
            repository="localhost/qwen-operator",
            inputs=(*_TOOLS, "images/operator", "requirements/operator.txt", "operator/src"),
            keep_layers=True,
        ),
        Recipe(
            name="triton-cpu",
            repository="localhost/triton-cpu",
            inputs=(
                *_TOOLS,
                "images/triton-cpu",
                "requirements/triton-cpu.txt",
                "requirements/triton-cpu-torch.txt",
                "requirements/triton-cpu-server.txt",
            ),
            keep_layers=False,
        ),
    )
}


def input_files(root: Path, inputs: tuple[str, ...]) -> list[Path]:
    """All files under the inputs, sorted, less what tools leave beside sources.

    Raises:
        ImagesError: An input is not there.
    """
    files: set[Path] = set()
    for name in inputs:
        path = root / name
        if not path.exists():
            raise ImagesError(f"{path} goes into an image and is missing: restore it from git.")
        found = path.rglob("*") if path.is_dir() else [path]
        files.update(each for each in found if each.is_file())
    return sorted(each for each in files if not _NEVER_INPUT & set(each.relative_to(root).parts))


def content_hash(root: Path, inputs: tuple[str, ...], *settings: str) -> str:
    """16 hex digits that change exactly when a file's path, mode or bytes, or a setting does."""
    digest = hashlib.sha256()
    for setting in settings:
        digest.update(f"setting {len(setting)}:{setting}\n".encode())
    for path in input_files(root, inputs):
        content = path.read_bytes()
        executable = bool(path.stat().st_mode & 0o100)
        head = f"file {path.relative_to(root)} {executable} {len(content)}\n"
        digest.update(head.encode() + content)
    return digest.hexdigest()[:16]


def package_list(root: Path, listing: str) -> list[str]:
    """The packages that a list names, without its comments."""
    lines = (root / listing).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def base_command(root: Path, listing: str, tarball: str) -> list[str]:
    """The command that unpacks a base file system with a list's packages into a tar file.

    Only unpacked, not configured: that takes a quarter of the time and no package here needs it
    beside the few lines of the hooks.
    """
    left_out = (
        *(f"/usr/share/{name}/*" for name in ("doc", "info", "lintian", "locale", "man")),
        "/usr/lib/*/gconv/*",  # character sets for iconv, which Python does not use
    )
    merge = 'for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; done'
    people = 'for f in passwd group; do cp "$1/usr/share/base-passwd/$f.master" "$1/etc/$f"; done'
    return [
        *("mmdebstrap", "--quiet", "--variant=extract"),
        *(f"--dpkgopt=path-exclude={files}" for files in left_out),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--setup-hook={merge}",
        f"--extract-hook={people}",
        f"--extract-hook=upload {root / listing} /etc/image-packages",
        '--extract-hook=chroot "$1" ldconfig',
        f'--extract-hook=chroot "$1" {_BYTECODE}',
        f"--extract-hook={RECORD_HOOK}",
        f"--include={','.join([*SYSTEM_PACKAGES, *package_list(root, listing)])}",
        *(SUITE, tarball),
    ]


def base_reference(root: Path, listing: str) -> str:
    """Reference of the stand-in base that has a list's packages."""
    settings = [part.replace(str(root), "") for part in base_command(root, listing, "")]
    return f"{BASE_REPOSITORY}:{content_hash(root, (listing,), *settings)}"


def reference(root: Path, recipe: Recipe) -> str:
    """Full reference of the image that the files make now."""
    bases = (base_reference(root, TOOLS_PACKAGES), base_reference(root, recipe.packages))
    return f"{recipe.repository}:{content_hash(root, recipe.inputs, *bases)}"
