"""Hands this machine's package client settings to a build, without a trace in the image.

Behind a company's proxy or mirror, pip and uv need certificates and index addresses that are no
part of this repository. They are copied to a temporary folder, mounted in the build's /dev, which
is never committed, and read by the RUN steps that download.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOUNT = "/dev/client"
_HOST_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_WORDS = (
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_INSECURE_HOST",
)


def write_settings(folder: Path, environment: Mapping[str, str]) -> None:
    """Write FOLDER/env, in shell syntax, and the certificate files that it names."""
    lines = [f"{name}={shlex.quote(environment[name])}" for name in _WORDS if name in environment]
    for name in _CERTIFICATES:
        source = Path(environment.get(name, _HOST_CERTIFICATES))
        if source.is_file():
            shutil.copyfile(source, folder / name.lower())
            lines.append(f"{name}={MOUNT}/{name.lower()}")
    (folder / "env").write_text("".join(f"{line}\n" for line in lines))


@contextmanager
def mounted_settings(environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield buildah's options that mount the settings; they are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="qwen-images-") as name:
        write_settings(Path(name), environment)
        yield ["--volume", f"{name}:{MOUNT}:ro"]
