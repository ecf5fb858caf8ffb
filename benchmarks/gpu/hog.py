"""Takes all but so many GiB of the GPU's memory, says so, and keeps it until it is ended."""

from __future__ import annotations

import sys
import time

_GIB = 1 << 30
_PIECE = _GIB // 4


def main() -> None:
    """Take, tell, wait."""
    import torch  # noqa: PLC0415  only where there is a GPU

    leave, held = float(sys.argv[1]) * _GIB, []
    while torch.cuda.mem_get_info()[0] - _PIECE > leave:
        held.append(torch.empty(_PIECE, dtype=torch.uint8, device="cuda"))
    print(f"taken; {torch.cuda.mem_get_info()[0] / _GIB:.2f} GiB are free", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
