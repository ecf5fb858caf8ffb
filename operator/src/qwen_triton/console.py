"""Remembers the last lines that this process and its children print, and prints them all the same.

The engine's process writes the cause of its death to its own standard error; the exception that
arrives here only says that it is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections import deque

# F_SETPIPE_SZ: with a megabyte of room nobody waits for this thread while an import holds the GIL.
_SET_PIPE_SIZE = 1031
_PIPE_BYTES = 1 << 20
_CHUNK = 1 << 16
_STDOUT, _STDERR = 1, 2


class Console:
    """A tee on standard output and standard error."""

    def __init__(self, remembered: int = 400) -> None:
        self._lines: deque[str] = deque(maxlen=remembered)
        self._rest = b""
        self._saved: tuple[int, int] | None = None

    def lines(self) -> list[str]:
        """The last lines, oldest first."""
        return list(self._lines)

    def attach(self) -> None:
        """Follow what is printed from here on; children started now are followed for life."""
        reader, writer = os.pipe()
        # Refused where the user's pipes are limited: the default size does, too.
        with contextlib.suppress(OSError):
            fcntl.fcntl(writer, _SET_PIPE_SIZE, _PIPE_BYTES)
        self._saved = os.dup(_STDOUT), os.dup(_STDERR)
        os.dup2(writer, _STDOUT)
        os.dup2(writer, _STDERR)
        os.close(writer)
        threading.Thread(
            target=self._follow, args=(reader, os.dup(self._saved[1])), name="console", daemon=True
        ).start()

    def detach(self) -> None:
        """Give this process its own output back; children keep theirs."""
        if self._saved is not None:
            for saved, number in zip(self._saved, (_STDOUT, _STDERR), strict=True):
                os.dup2(saved, number)
                os.close(saved)
            self._saved = None

    def _follow(self, reader: int, out: int) -> None:
        while chunk := os.read(reader, _CHUNK):
            _write_all(out, chunk)
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            self._lines.extend(line.decode("utf-8", "replace") for line in whole)
            self._rest = self._rest[-_CHUNK:]
        os.close(reader)
        os.close(out)


def _write_all(out: int, chunk: bytes) -> None:
    while chunk:
        chunk = chunk[os.write(out, chunk) :]
