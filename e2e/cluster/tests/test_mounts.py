"""Mounts and control groups, read from what the kernel prints."""

from pathlib import Path

from e2e.cluster.cgroups import parse_hierarchies
from e2e.cluster.mounts import parse_mounts_below

MOUNTS = """22 1 8:1 / / rw - ext4 /dev/vda rw
30 22 0:5 / /state/live/kubelet/a rw - tmpfs tmpfs rw
31 30 0:6 / /state/live/kubelet/a/b rw - tmpfs tmpfs rw
32 22 0:7 / /state/lively rw - tmpfs tmpfs rw
33 22 0:8 / /state/live/with\\040space rw - tmpfs tmpfs rw
"""


def test_mounts_below_a_folder_come_last_first_and_neighbours_stay() -> None:
    assert parse_mounts_below(MOUNTS, Path("/state/live")) == [
        "/state/live/with space",
        "/state/live/kubelet/a/b",
        "/state/live/kubelet/a",
    ]


def test_both_versions_of_control_groups_are_found() -> None:
    mounts = (
        "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n"
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
        "tmpfs /tmp tmpfs rw 0 0\n"
    )
    assert [str(p) for p in parse_hierarchies(mounts)] == [
        "/sys/fs/cgroup/pids",
        "/sys/fs/cgroup/unified",
    ]
