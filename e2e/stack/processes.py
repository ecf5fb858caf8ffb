"""The processes of a pod, as the node sees them."""

from pathlib import Path

ENGINE = ("VLLM::EngineCor", "multiprocessing.spawn import spawn_main")
STUB = ("triton_python_backend_stub",)


def of_pod(uid: str, names: tuple[str, ...]) -> list[int]:
    """Pids in the pod's cgroup whose command line or name holds one of the names."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            cgroup = (folder / "cgroup").read_text()
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            words += (folder / "comm").read_text()
        except OSError:
            continue  # it ended meanwhile
        if f"pod{uid}" in cgroup and any(name in words for name in names):
            found.append(int(folder.name))
    return found
