"""Programs built from their Go modules, once for each content of the module files that pin them."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from e2e.cluster.layout import cache_folder

_FLAGS = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags=-s -w")


def gotool(module: Path, package: str = ".", tags: str = "", experiment: str = "") -> Path:
    """The program that a folder's go.mod, go.sum and sources make.

    Args:
        module: the folder.
        package: what to build in it: its own, or one that its go.mod requires.
        tags: Go's build tags, with commas.
        experiment: GOEXPERIMENT, where a module wants one.
    """
    flags = (*_FLAGS, f"-tags={tags}") if tags else _FLAGS
    content = b"".join(path.read_bytes() for path in sorted(module.iterdir()))
    key = hashlib.sha256(repr((flags, package)).encode() + content).hexdigest()[:12]
    name = module.name if package != "." else module.parent.name
    program = cache_folder() / f"{name}-{key}"
    if not program.exists():
        cache_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            made = Path(folder) / name
            environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
            if experiment:
                environment["GOEXPERIMENT"] = experiment
            command = ["go", "build", *flags, "-o", str(made), package]
            print(f"building {name} from its Go module", file=sys.stderr)
            subprocess.run(command, cwd=module, env=environment, check=True)
            made.rename(program)
    return program
