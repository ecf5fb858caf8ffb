"""Rendered configuration and command lines hold together."""

import json
import re
from pathlib import Path

import pytest

from e2e.cluster import addresses as at
from e2e.cluster import components, configuration, nodes
from e2e.cluster.certificates import CLIENTS, OTHERS, ensure_certificates
from e2e.cluster.layout import Layout

LAYOUT = Layout(Path("/state"), Path("/binaries"))
FILES = configuration.files(LAYOUT, "localhost/pause:1")
PARTS = [*components.everything(LAYOUT), components.kwok(LAYOUT)]
# Programs of the machine, and what the kernel gives.
MACHINES_OWN = ("/usr/lib/cni", "/qwen-operator")


def test_the_same_layout_gives_the_same_files() -> None:
    assert configuration.files(LAYOUT, "localhost/pause:1") == FILES


def test_every_path_lies_in_the_state_folder_or_the_binaries() -> None:
    words = " ".join([*FILES.values(), *(w for part in PARTS for w in part.argv)])
    paths = set(re.findall(r"(?<![\w:/.])/[a-z][\w./-]+", words))
    assert paths
    allowed = ("/state/", "/binaries/", *MACHINES_OWN)
    assert {path for path in paths if not path.startswith(allowed)} == set()


def test_every_file_that_a_component_is_given_is_rendered_or_made() -> None:
    made = {f"pki/{c.name}.{end}" for c in (*CLIENTS, *OTHERS) for end in ("crt", "key")}
    made |= {"pki/ca.crt", "pki/ca.key", "pki/front-proxy-ca.crt", "pki/service-account.key"}
    words = " ".join(w for part in PARTS for w in part.argv)
    named = re.findall(r"/state/live/((?:config|pki|kubeconfig)/[\w.-]+)", words)
    assert set(named) <= made | FILES.keys()


def test_a_component_waits_only_for_components() -> None:
    names = {part.name for part in PARTS}
    assert all(set(part.after) <= names for part in PARTS)


def test_a_control_plane_alone_waits_only_for_its_own_parts() -> None:
    parts = [*components.control_plane(LAYOUT), components.kwok(LAYOUT)]
    names = {part.name for part in parts}
    assert all(set(part.after) <= names for part in parts)
    assert parts[0] in PARTS


def test_json_files_are_json_and_the_kubelet_can_live_with_cgroup_v1() -> None:
    kubelet = json.loads(FILES["config/kubelet.json"])
    assert kubelet["failCgroupV1"] is False
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert kubelet["clusterDNS"] == [at.DNS_SERVICE_IP]


def test_the_dns_manifest_and_the_addresses_agree() -> None:
    manifest = (Path(configuration.__file__).parent / "manifests/dns.yaml").read_text()
    assert f"clusterIP: {at.DNS_SERVICE_IP}\n" in manifest
    assert f"addresses: [{at.NODE_IP}]" in manifest


def test_no_gpus_takes_the_resource_away() -> None:
    assert nodes.gpu_patch(0)["status"] == {
        "capacity": {at.GPU: None},
        "allocatable": {at.GPU: None},
    }
    assert nodes.gpu_patch(3)["status"] == {"capacity": {at.GPU: "3"}, "allocatable": {at.GPU: "3"}}


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([], False),
        ([{"type": "Ready", "status": "True"}], True),
        ([{"type": "Ready", "status": "Unknown"}], False),
        ([{"type": "DiskPressure", "status": "True"}], False),
    ],
)
def test_a_node_is_ready_when_it_says_so(conditions: list[dict[str, str]], *, ready: bool) -> None:
    assert nodes.is_node_ready({"status": {"conditions": conditions}}) is ready
    assert not nodes.is_node_ready(None)


def test_certificates_appear_together_and_are_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    folder.with_name("pki.making").mkdir()
    ensure_certificates(folder)
    names = {f"{c.name}.crt" for c in (*CLIENTS, *OTHERS)}
    assert names <= {path.name for path in folder.iterdir()}
    before = (folder / "ca.crt").read_bytes()
    ensure_certificates(folder)
    assert (folder / "ca.crt").read_bytes() == before
    assert not folder.with_name("pki.making").exists()
