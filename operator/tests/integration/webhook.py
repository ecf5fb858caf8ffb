"""A mutating admission webhook of somebody else's: puts a sidecar and labels into Deployments."""

import base64
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.api import Api, Json

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
SIDECAR = {"name": "mesh-proxy", "image": "mesh/proxy:1"}
_LABELS = {"mesh.example.com/injected": "true"}


def _patch(deployment: Json) -> list[Json]:
    """What it wants changed, as a JSON patch; nothing where that is so already."""
    template = deployment["spec"]["template"]
    containers = template["spec"]["containers"]
    made: list[Json] = []
    if not any(each["name"] == SIDECAR["name"] for each in containers):
        made.append({"op": "add", "path": "/spec/template/spec/containers/-", "value": SIDECAR})
    for where, metadata in (
        ("/metadata/labels", deployment["metadata"]),
        ("/spec/template/metadata/labels", template["metadata"]),
    ):
        labels = {**(metadata.get("labels") or {}), **_LABELS}
        if labels != metadata.get("labels"):
            made.append({"op": "add", "path": where, "value": labels})
    return made


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        patch = json.dumps(_patch(asked["object"])).encode()
        answer = {
            "uid": asked["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(patch).decode(),
        }
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        body = json.dumps({**review, "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def meddling(api: Api, namespace: str, folder: Path) -> Iterator[None]:
    """The webhook, for the Deployments of one namespace."""
    key, certificate = folder / "hook.key", folder / "hook.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=hook", "-addext"]
    command += ["subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    authority = base64.b64encode(certificate.read_bytes()).decode()
    hook = {
        "name": "mesh.example.com",
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "clientConfig": {
            "url": f"https://127.0.0.1:{server.server_port}/mutate",
            "caBundle": authority,
        },
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    name = f"tests-{namespace}"
    api.call("POST", WEBHOOKS, {"metadata": {"name": name}, "webhooks": [hook]})
    try:
        yield
    finally:
        api.call("DELETE", f"{WEBHOOKS}/{name}")
        server.shutdown()
        thread.join()
        server.server_close()
