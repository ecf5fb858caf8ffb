"""Starts that fail or are killed, and ends: nothing of the cluster stays on the machine."""

import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.build import RECORD, binaries_folder, cache_key

pytestmark = pytest.mark.cluster
Picture = Callable[[], dict[str, object]]


@pytest.fixture(autouse=True)
def always_down(shell: Any) -> Any:
    yield
    shell.must("down", "--purge")


def test_down_leaves_the_machine_as_it_was(shell: Any, picture: Picture) -> None:
    before = picture()
    shell.must("up", "--gpus", "1", "--fake-nodes", "1")
    image = shell.kubectl("get", "node", "qwen-node", "-o", "jsonpath={.status.images[*].names}")
    pause = next(name for name in json.loads(image.split("] ")[0]) if "pause" in name)
    container = {"name": "pause", "image": pause}
    shell.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "still-here"},
            "spec": {"containers": [container]},
        }
    )
    shell.kubectl("wait", "--for=condition=Ready", "pod/still-here", "--timeout=60s")
    assert picture() != before
    shell.must("down")
    assert picture() == before
    shell.must("down")
    assert picture() == before


def test_a_control_plane_alone_pretends_pods_and_stays_without_a_node(
    shell: Any, picture: Picture
) -> None:
    before = picture()
    shell.must("up", "--no-node", "--fake-nodes", "1")
    assert set(shell.pids()) == {
        *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
    }
    assert "no answer" not in shell.must("status")
    limits = {"limits": {"nvidia.com/gpu": "1"}}
    container = {"name": "none", "image": "localhost/none", "resources": limits}
    shell.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pretended"},
            "spec": {"containers": [container]},
        }
    )
    shell.kubectl("wait", "--for=condition=Ready", "pod/pretended", "--timeout=60s")
    refused = shell.cluster("up")
    assert refused.returncode == 1
    assert "was started without a node; run `down` first" in refused.stderr
    shell.must("up", "--no-node")
    shell.must("down")
    assert picture() == before


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5, 5.0, 8.0])
def test_a_killed_up_can_be_followed_by_up_or_down(
    shell: Any, picture: Picture, seconds: float
) -> None:
    before = picture()
    started = shell.start("up")
    time.sleep(seconds)
    started.kill()
    started.wait()
    shell.must("up")
    shell.must("status")
    shell.must("down")
    assert picture() == before


@pytest.mark.parametrize("seconds", [0.6, 4.0])
def test_a_killed_up_can_be_followed_by_down_alone(
    shell: Any, picture: Picture, seconds: float
) -> None:
    before = picture()
    started = shell.start("up")
    time.sleep(seconds)
    started.kill()
    started.wait()
    shell.must("down")
    assert picture() == before


def test_a_port_in_use_is_named_with_its_holder(shell: Any, picture: Picture) -> None:
    before = picture()
    with socket.create_server(("127.0.0.1", 10257)):
        done = shell.cluster("up")
    assert done.returncode == 1
    assert "kube-controller-manager listens on 127.0.0.1:10257" in done.stderr
    assert f"pid={os.getpid()}" in done.stderr
    assert picture() == before


def test_a_component_that_ends_is_named_with_its_last_words(
    shell: Any, picture: Picture, tmp_path: Path
) -> None:
    before = picture()
    broken = tmp_path / "qwen-operator" / f"bin-{cache_key()}"
    shutil.copytree(binaries_folder(), broken, symlinks=True)
    (broken / "kube-scheduler").unlink()
    (broken / "kube-scheduler").write_text("#!/bin/sh\necho my last words\nexit 3\n")
    (broken / "kube-scheduler").chmod(0o755)
    record = json.loads((broken / RECORD).read_text())
    record["kube-scheduler"] = (broken / "kube-scheduler").stat().st_size
    (broken / RECORD).write_text(json.dumps(record))
    done = type(shell)(shell.folder, {"XDG_CACHE_HOME": str(tmp_path)}).cluster("up")
    assert done.returncode == 1
    assert "kube-scheduler ended" in done.stderr
    assert "my last words" in done.stderr
    assert picture() == before
