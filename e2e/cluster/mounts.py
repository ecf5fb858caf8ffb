"""Find and undo the mounts below a folder."""

import subprocess
from pathlib import Path

from e2e.cluster.errors import ClusterError


def parse_mounts_below(mountinfo: str, folder: Path) -> list[str]:
    """Mount points below a folder, the last mounted first, from /proc/self/mountinfo."""
    points = [line.split()[4] for line in mountinfo.splitlines()]
    # The kernel writes spaces and backslashes as octal escapes.
    plain = [point.encode().decode("unicode_escape") for point in points]
    return [point for point in reversed(plain) if Path(point).is_relative_to(folder)]


def mounts_below(folder: Path) -> list[str]:
    """Mount points below a folder now."""
    return parse_mounts_below(Path("/proc/self/mountinfo").read_text(), folder)


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder.

    Raises:
        ClusterError: something stayed mounted. The folder must not be deleted then, since a
            volume's content may lie behind the mount.
    """
    for point in mounts_below(folder):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
    if left := mounts_below(folder):
        raise ClusterError(
            f"These mounts below {folder} could not be undone: {', '.join(left)}. Nothing was "
            "deleted. End what uses them (`fuser -vm PATH` names it) and run `down` again."
        )
