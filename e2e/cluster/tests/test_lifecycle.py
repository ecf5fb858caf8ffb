"""One real cluster: what people rely on while it runs."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.cluster
AUTHORITY = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
IMAGE = "localhost/qwen-cluster-probe:test"


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def pod(name: str, gpus: int = 0) -> dict[str, object]:
    container: dict[str, Any] = {"name": "probe", "image": IMAGE}
    if gpus:
        container["resources"] = {"limits": {"nvidia.com/gpu": gpus}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def buildah(*words: str) -> str:
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(base: str, files: dict[str, str], removed: tuple[str, ...] = ()) -> None:
    """Put a layer on a base, and call the result by the test image's name."""
    made = buildah("from", base)
    try:
        for target, source in files.items():
            buildah("copy", made, source, target)
        mounted = Path(buildah("mount", made))
        for name in removed:
            (mounted / name).unlink()
        buildah("config", "--entrypoint", '["/pause"]', made)
        buildah("commit", "--quiet", made, IMAGE)
    finally:
        buildah("rm", made)


@pytest.fixture(scope="module")
def cluster(shell: Any) -> Iterator[Any]:
    try:
        shell.must("up", "--gpus", "4", "--fake-nodes", "2")
        commit("scratch", {"/pause": shell.tool("pause"), "/kubectl": shell.tool("kubectl")})
        shell.must("load-image", IMAGE)
        yield shell
    finally:
        shell.must("down", "--purge")
        subprocess.run(["buildah", "rmi", "--force", IMAGE], check=False, capture_output=True)


@pytest.fixture(scope="module")
def probe(cluster: Any) -> Any:
    cluster.apply(pod("probe"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/probe", "--timeout=60s")
    return cluster


def test_every_part_is_ready(cluster: Any) -> None:
    printed = cluster.must("status")
    assert printed.count("ready") == 10
    assert "GPUs" in printed


def test_a_second_up_changes_nothing_and_is_quick(cluster: Any) -> None:
    before, began = cluster.pids(), time.monotonic()
    cluster.must("up")
    assert time.monotonic() - began < 5
    assert cluster.pids() == before


def test_a_pod_reaches_the_api_by_name_with_its_own_account(probe: Any) -> None:
    token = probe.kubectl("create", "token", "default").strip()
    printed = probe.kubectl(
        *("exec", "probe", "--", "/kubectl", "--server=https://kubernetes.default.svc"),
        *(f"--certificate-authority={AUTHORITY}", f"--token={token}", "auth", "whoami"),
    )
    assert "system:serviceaccount:default:default" in printed
    mounted = probe.kubectl("exec", "probe", "--", "/kubectl", "auth", "whoami")
    assert "system:serviceaccount:default:default" in mounted


def test_a_port_is_forwarded_to_a_pod(probe: Any) -> None:
    serving = pod("serving")
    container = serving["spec"]["containers"][0]  # type: ignore[index]
    container["command"] = ["/kubectl", "proxy", "--port=8001"]
    probe.apply(serving)
    probe.kubectl("wait", "--for=condition=Ready", "pod/serving", "--timeout=60s")
    argv = [probe.tool("kubectl"), f"--kubeconfig={probe.kubeconfig}"]
    with subprocess.Popen(
        [*argv, "port-forward", "pod/serving", ":8001"], stdout=subprocess.PIPE, text=True
    ) as forward:
        try:
            assert forward.stdout
            port = forward.stdout.readline().split(":")[1].split()[0]

            def answers() -> bool:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/version") as answer:
                        return bool(json.load(answer)["major"] == "1")
                except (urllib.error.URLError, ConnectionError):
                    return False

            until(answers, "an answer through the forwarded port")
        finally:
            forward.terminate()
    assert "Starting to serve" in probe.kubectl("logs", "serving")


def test_gpus_are_scheduled_and_can_be_changed(probe: Any) -> None:
    def allocatable() -> str:
        return str(
            probe.kubectl("get", "node", "qwen-node", "-o", "jsonpath={.status.allocatable}")
        )

    assert '"nvidia.com/gpu":"4"' in allocatable()
    probe.must("up", "--gpus", "2")
    assert '"nvidia.com/gpu":"2"' in allocatable()
    probe.apply(pod("two", gpus=2))
    probe.kubectl("wait", "--for=condition=Ready", "pod/two", "--timeout=60s")
    where = probe.kubectl("get", "pod", "two", "-o", "jsonpath={.spec.nodeName}")
    assert where in {"qwen-node", "fake-0", "fake-1"}


def test_a_pod_that_asks_for_eight_gpus_runs_on_a_fake_node_and_others_do_not(probe: Any) -> None:
    probe.apply(pod("eight", gpus=8))
    probe.kubectl("wait", "--for=condition=Ready", "pod/eight", "--timeout=60s")
    where = "jsonpath={.spec.nodeName}"
    assert probe.kubectl("get", "pod", "eight", "-o", where).startswith("fake-")
    assert probe.kubectl("get", "pod", "probe", "-o", where) == "qwen-node"


def test_a_killed_component_is_seen_and_started_again_alone(probe: Any) -> None:
    before = probe.pids()
    os.kill(int(before["kubelet"].split()[0]), signal.SIGKILL)
    until(lambda: probe.cluster("status").returncode == 1, "status says that kubelet ended")
    assert "kubelet" in probe.cluster("status").stdout
    probe.must("up")
    after = probe.pids()
    assert {name for name in before if before[name] != after[name]} == {"kubelet"}
    gpus = "jsonpath={.status.capacity.nvidia\\.com/gpu}"
    assert probe.kubectl("get", "node", "qwen-node", "-o", gpus) == "2"


def test_a_changed_image_is_loaded_quickly_without_what_its_last_layer_removed(
    probe: Any, tmp_path: Path
) -> None:
    (tmp_path / "code").write_text("new")
    commit(IMAGE, {"/code": str(tmp_path / "code")}, removed=("kubectl",))
    began = time.monotonic()
    probe.must("load-image", IMAGE)
    assert time.monotonic() - began < 15
    assert "loaded already" in probe.cluster("load-image", IMAGE).stderr
    probe.apply(pod("changed"))
    probe.kubectl("wait", "--for=condition=Ready", "pod/changed", "--timeout=60s")
    roots = probe.folder.glob("live/run/containerd/io.containerd.runtime.v2.task/k8s.io/*/rootfs")
    changed = [root for root in roots if (root / "code").exists()]
    assert len(changed) == 1
    assert not (changed[0] / "kubectl").exists()


def test_an_image_that_buildah_lacks_is_refused_in_words(cluster: Any) -> None:
    done = cluster.cluster("load-image", "localhost/nothing:here")
    assert done.returncode == 1
    assert "localhost/nothing:here is not in buildah's storage" in done.stderr


def test_the_audit_log_names_who_did_what(probe: Any) -> None:
    last = [json.loads(line) for line in probe.must("logs", "audit", "-n", "500").splitlines()]
    assert any(event["user"]["username"] == "system:kube-scheduler" for event in last)


def test_a_second_cluster_beside_the_first_is_refused(cluster: Any) -> None:
    other = type(cluster)(cluster.folder / "other").cluster("up")
    assert other.returncode == 1
    assert f"QWEN_CLUSTER_DIR={cluster.folder}" in other.stderr
