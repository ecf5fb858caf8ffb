"""Who holds an address that a component wants, and packages that are missing."""

from pathlib import Path

import pytest

from e2e.cluster import components, machine
from e2e.cluster.errors import ClusterError
from e2e.cluster.layout import LONGEST_STATE_PATH, Layout, state_folder

LISTENERS = """LISTEN 0 128 127.0.0.1:10257 0.0.0.0:* users:(("python",pid=7,fd=3))
LISTEN 0 128 *:6443 *:*
LISTEN 0 128 192.0.2.2:12379 0.0.0.0:* users:(("other",pid=9,fd=3))
LISTEN 0 128 [::]:10250 [::]:* users:(("six",pid=8,fd=3))
LISTEN 0 128 127.0.0.53%lo:53 0.0.0.0:* users:(("resolved",pid=6,fd=3))
"""


@pytest.mark.parametrize(
    ("wanted", "holder"),
    [
        (("127.0.0.1", 10257), '"python",pid=7'),
        (("198.18.0.1", 6443), "another process"),
        (("198.18.0.1", 10250), '"six",pid=8'),
        (("127.0.0.1", 12379), ""),
        (("198.18.0.1", 53), ""),
        (("127.0.0.1", 1025), ""),
    ],
)
def test_an_address_is_taken_by_itself_or_by_a_wildcard(
    wanted: tuple[str, int], holder: str
) -> None:
    found = machine.taken(LISTENERS, wanted)
    assert holder in found
    assert bool(found) == bool(holder)


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    missing = machine.missing_packages()
    assert {"containerd", "runc", "iptables", "buildah"} <= set(missing)
    assert missing == sorted(set(missing))


def test_a_full_disk_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "NEEDED_GIB", 1 << 40)
    with pytest.raises(ClusterError, match="QWEN_CLUSTER_DIR"):
        machine.check_disk(tmp_path / "not" / "yet")


def test_somebody_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="needs root"):
        machine.check_root()


def test_a_state_folder_too_deep_for_sockets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_CLUSTER_DIR", "/" + "x" * LONGEST_STATE_PATH)
    with pytest.raises(ClusterError, match="shorter path"):
        state_folder()


def test_no_two_components_listen_on_one_address() -> None:
    layout = Layout(Path("/state"), Path("/bin"))
    parts = [*components.everything(layout), components.kwok(layout)]
    wanted = [address for part in parts for address in part.listens]
    assert len(wanted) == len(set(wanted))
