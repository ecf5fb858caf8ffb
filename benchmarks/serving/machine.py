"""What a machine is, in words, for the record."""

from __future__ import annotations

import os
import platform
import subprocess


def machine() -> str:
    """CPU, cores and GPUs that this process may use, in words."""
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123
        for line in info:
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    words = [f"{len(os.sched_getaffinity(0))} cores of {name}"]
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    if chosen := os.environ.get("CUDA_VISIBLE_DEVICES"):
        asked.append(f"--id={chosen}")
    try:
        gpus = subprocess.check_output(asked, text=True)
        words = [*(line.strip() for line in gpus.splitlines()), *words]
    except (OSError, subprocess.CalledProcessError):
        words.append("no GPU")
    return "; ".join(words)
