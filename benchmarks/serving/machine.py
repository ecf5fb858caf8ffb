"""What a machine is, in words, for the record."""

from __future__ import annotations

import os
import platform
import subprocess


def machine() -> str:
    """CPU, cores and GPUs of this machine, in words."""
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123
        for line in info:
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    words = [f"{os.cpu_count()} cores of {name}"]
    try:
        gpus = subprocess.check_output(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], text=True
        )
        words = [*(line.strip() for line in gpus.splitlines()), *words]
    except (OSError, subprocess.CalledProcessError):
        words.append("no GPU")
    return "; ".join(words)
