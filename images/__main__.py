"""Command line: python -m images {build,lock,sbom,list,prune}, run from the repository root."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from images import buildah, debian
from images.errors import ImagesError
from images.host import require_host
from images.progress import say
from images.recipes import (
    BASE_REPOSITORY,
    RECIPES,
    ROOT,
    TOOLS_PACKAGES,
    Recipe,
    base_command,
    base_reference,
    reference,
)
from images.sbom import write_sbom

if TYPE_CHECKING:
    from collections.abc import Iterator


LISTS = (TOOLS_PACKAGES, *(recipe.packages for recipe in RECIPES.values()))
"""Of Debian packages; each makes a base."""


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """Hold the lock that keeps two builds from making the same thing at once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qwen-operator"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"images-{what}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another build of {what} is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensure_base(listing: str) -> str:
    """Reference of the stand-in base with a list's packages, made if it is missing."""
    wanted = base_reference(ROOT, listing)
    with _alone("bases"):
        if buildah.exists(wanted):
            return wanted
        say(f"{wanted}: Debian packages of {listing}")
        with tempfile.TemporaryDirectory(prefix="qwen-images-") as folder:
            tarball = Path(folder) / "base.tar"
            buildah.unpack_base(base_command(ROOT, listing, str(tarball)), wanted)
            found = debian.differences(debian.locked(ROOT), debian.in_tarball(tarball))
            debian.refuse_forged(found, listing)
            for each in found.moved:
                say(f"Debian has moved on since {debian.LOCK}: {each}")
            buildah.import_base(tarball, wanted)
    return wanted


def _lock() -> None:
    """Record which packages the archive has now for every list."""
    require_host()
    packages: debian.Packages = {}
    for listing in LISTS:
        with tempfile.TemporaryDirectory(prefix="qwen-images-") as folder:
            tarball = Path(folder) / "base.tar"
            say(f"Debian packages of {listing}")
            buildah.unpack_base(base_command(ROOT, listing, str(tarball)), listing)
            packages |= debian.in_tarball(tarball)
    (ROOT / debian.LOCK).write_text(debian.written(packages), "utf-8")


def _build(recipe: Recipe, *, locked: bool) -> str:
    """Reference of an image, built if it is missing; if it must be, one that the lock knows."""
    image = _ensure(recipe)
    if locked:
        _hold_to_lock(image)
    return image


def _hold_to_lock(image: str) -> None:
    """Refuse an image whose packages are not those of the lock."""
    with buildah.mounted(image) as folder:
        found = debian.differences(debian.locked(ROOT), debian.in_folder(Path(folder)))
    debian.refuse_forged(found, image)
    debian.refuse_moved(found, image)


def _ensure(recipe: Recipe) -> str:
    """Reference of an image, built if it is missing."""
    wanted = reference(ROOT, recipe)
    if buildah.exists(wanted):
        return wanted
    require_host()
    with _alone(recipe.name):
        if not buildah.exists(wanted):
            bases = {
                "TOOLS_IMAGE": _ensure_base(TOOLS_PACKAGES),
                "BASE_IMAGE": _ensure_base(recipe.packages),
            }
            buildah.build(
                str(ROOT / recipe.containerfile),
                wanted,
                bases,
                context=ROOT,
                keep_layers=recipe.keep_layers,
            )
            say(f"{wanted}: done")
    return wanted


def _ours() -> list[str]:
    """References in the storage that this package made."""
    repositories = {BASE_REPOSITORY, *(recipe.repository for recipe in RECIPES.values())}
    return [name for name in buildah.references() if name.rpartition(":")[0] in repositories]


def _prune() -> None:
    """Remove the images that the files do not make any more."""
    current = {reference(ROOT, recipe) for recipe in RECIPES.values()}
    current |= {base_reference(ROOT, listing) for listing in LISTS}
    with ExitStack() as locks:
        for name in ("bases", *RECIPES):
            locks.enter_context(_alone(name))
        for name in _ours():
            if name not in current:
                removed = buildah.remove(name)
                print(f"removed {name}" if removed else f"kept {name}: a container uses it")


def _chosen(parser: argparse.ArgumentParser, names: list[str]) -> list[str]:
    unknown = sorted(set(names) - set(RECIPES))
    if unknown:
        parser.error(f"no image {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    return names or list(RECIPES)


def main(arguments: list[str]) -> int:
    """Run one command; errors go to standard error in words."""
    parser = argparse.ArgumentParser(prog="python -m images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build what is missing, print 'NAME REFERENCE'")
    build.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}")
    build.add_argument(
        "--locked", action="store_true", help=f"refuse Debian packages that {debian.LOCK} has not"
    )
    commands.add_parser("lock", help=f"write {debian.LOCK} from what Debian has now")
    bills = commands.add_parser("sbom", help="write what images are made of, print 'NAME FILE'")
    bills.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}")
    bills.add_argument("--to", type=Path, default=ROOT / "dist", help="folder of the files")
    commands.add_parser("list", help="print the references that are there")
    commands.add_parser("prune", help="remove images of older contents")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "build":
                for name in _chosen(parser, options.names):
                    print(name, _build(RECIPES[name], locked=options.locked), flush=True)
            case "lock":
                _lock()
            case "sbom":
                for name in _chosen(parser, options.names):
                    image = _ensure(RECIPES[name])
                    print(name, write_sbom(image, options.to / f"{name}.cdx.json"), flush=True)
            case "list":
                require_host()
                print("\n".join(_ours()))
            case "prune":
                require_host()
                _prune()
    except ImagesError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: stopped; no image was half made.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
