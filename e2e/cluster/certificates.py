"""The cluster's keys and certificates, made with openssl."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.addresses import API_SERVICE_IP, CLUSTER_DOMAIN, LOOPBACK, NODE_IP, NODE_NAME
from e2e.cluster.errors import ClusterError

AUTHORITY, FRONT_AUTHORITY = "ca", "front-proxy-ca"
SERVICE_ACCOUNT_KEY = "service-account.key"
DAYS = "365"
SERVING_NAMES = (
    f"IP:{NODE_IP}",
    f"IP:{LOOPBACK}",
    f"IP:{API_SERVICE_IP}",
    "DNS:localhost",
    f"DNS:{NODE_NAME}",
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    f"DNS:kubernetes.default.svc.{CLUSTER_DOMAIN}",
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate: a client's has a user and perhaps a group, a server's has names."""

    name: str
    user: str
    group: str = ""
    names: tuple[str, ...] = ()
    authority: str = AUTHORITY


CLIENTS = (
    Certificate("admin", "admin", "system:masters"),
    Certificate("kube-controller-manager", "system:kube-controller-manager"),
    Certificate("kube-scheduler", "system:kube-scheduler"),
    Certificate("kube-proxy", "system:kube-proxy"),
    Certificate("kubelet", f"system:node:{NODE_NAME}", "system:nodes"),
    Certificate("coredns", "system:coredns"),
    Certificate("kwok", "system:kwok", "system:masters"),
)
OTHERS = (
    Certificate("serving", "serving", names=SERVING_NAMES),
    Certificate("apiserver-kubelet", "apiserver-kubelet", "system:masters"),
    Certificate("front-proxy", "front-proxy", authority=FRONT_AUTHORITY),
)
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def authority_argv(name: str) -> list[str]:
    """The command that makes an authority."""
    files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    uses = ["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]
    return [
        *("openssl", "req", "-x509", *NEW_KEY, "-days", DAYS, "-subj", f"/CN=qwen-{name}"),
        *uses,
        *files,
    ]


def certificate_argv(certificate: Certificate) -> list[str]:
    """The command that makes a key and a certificate signed by its authority."""
    group = f"/O={certificate.group}" if certificate.group else ""
    usage = "serverAuth" if certificate.names else "clientAuth"
    extensions = ["basicConstraints=critical,CA:FALSE", f"extendedKeyUsage={usage}"]
    if certificate.names:
        extensions.append("subjectAltName=" + ",".join(certificate.names))
    return [
        *("openssl", "req", "-x509", *NEW_KEY, "-days", DAYS),
        *("-subj", f"{group}/CN={certificate.user}"),
        *("-CA", f"{certificate.authority}.crt", "-CAkey", f"{certificate.authority}.key"),
        *(word for extension in extensions for word in ("-addext", extension)),
        *("-keyout", f"{certificate.name}.key", "-out", f"{certificate.name}.crt"),
    ]


def key_argv() -> list[str]:
    """The command that makes the key that signs service account tokens."""
    # The older of openssl's commands: the API server reads no public key from PKCS#8.
    curve = ("-genkey", "-noout", "-name", "prime256v1")
    return ["openssl", "ecparam", *curve, "-out", SERVICE_ACCOUNT_KEY]


def ensure_certificates(folder: Path) -> None:
    """Make all certificates unless the folder is there: it appears when it is whole."""
    if folder.exists():
        return
    making = folder.with_name(folder.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    for name in (AUTHORITY, FRONT_AUTHORITY):
        _openssl(authority_argv(name), making)
    for certificate in (*CLIENTS, *OTHERS):
        _openssl(certificate_argv(certificate), making)
    _openssl(key_argv(), making)
    making.rename(folder)


def _openssl(argv: list[str], folder: Path) -> None:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"`{' '.join(argv)}` ended with {done.returncode}: {done.stderr}")
