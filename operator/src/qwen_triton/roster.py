"""How the instances of one model in one server find each other: they share one engine.

The first instance starts the engine, all others attach to it. A folder of the server's own holds
where the engine is reached and one signed file an instance, so that each notices who is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_triton.processes import is_process_alive, start_time

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOK_SECONDS = 0.2
_ENGINE, _FAILED, _DRAINING = "engine.json", "failed", "draining"


class EngineNotShared(RuntimeError):
    """The first instance did not bring the engine up; it has said why."""


@dataclass(frozen=True, slots=True)
class SharedEngine:
    """Where an engine is reached.

    Attributes:
        inputs: ZeroMQ endpoints of requests, one an instance.
        outputs: ZeroMQ endpoints of outputs, one an instance.
        pids: the engine's processes.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]
    pids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Signature:
    """What an instance says of itself.

    Attributes:
        index: its number.
        pid: its process.
        signed_at: when, in monotonic seconds.
        is_loaded: whether it can answer requests.
        open_streams: how many it is answering.
    """

    index: int
    pid: int
    signed_at: float
    is_loaded: bool
    open_streams: int


class Roster:
    """The folder that the instances of one server share."""

    def __init__(self, index: int, count: int, folder: Path) -> None:
        self.index = index
        self.count = count
        self.folder = folder
        self._has_left = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sign(open_streams=0, is_loaded=False)

    def endpoints(self) -> tuple[list[str], list[str]]:
        """An input and an output endpoint for every instance."""
        numbers = range(self.count)
        return (
            [f"ipc://{self.folder}/in-{number}" for number in numbers],
            [f"ipc://{self.folder}/out-{number}" for number in numbers],
        )

    def publish(self, engine: SharedEngine) -> None:
        """The engine is up: the others may attach."""
        self._write(_ENGINE, json.dumps(asdict(engine)))

    def fail(self) -> None:
        """There will be no engine."""
        self._write(_FAILED, "")

    async def engine(self) -> SharedEngine:
        """Wait for the engine.

        Raises:
            EngineNotShared: when the first instance fails or ends before.
        """
        while not (file := self.folder / _ENGINE).exists():
            first = self._read(0)
            if (self.folder / _FAILED).exists() or (first and not is_process_alive(first.pid)):
                raise EngineNotShared("the first instance of the model could not start the engine")
            await asyncio.sleep(_LOOK_SECONDS)
        return SharedEngine(**json.loads(file.read_text(encoding="utf-8")))

    def sign(self, open_streams: int) -> None:
        """This instance has been loaded and its loop turns."""
        if not self._has_left:
            self._sign(open_streams=open_streams, is_loaded=True)

    def leave(self) -> None:
        """This instance ends as it should; it says no more."""
        self._has_left = True
        with suppress(OSError):
            (self.folder / _file_of(self.index)).unlink()

    def others(self) -> list[Signature]:
        """What the other instances say; who has left, or has not come yet, says nothing."""
        found = (self._read(index) for index in range(self.count) if index != self.index)
        return [signature for signature in found if signature is not None]

    def are_all_here(self) -> bool:
        """Whether every instance has been loaded."""
        return sum(each.is_loaded for each in self.others()) == self.count - 1

    def have_others_streams(self) -> bool:
        """Whether another instance still answers somebody."""
        return any(each.open_streams and is_process_alive(each.pid) for each in self.others())

    def drain(self) -> None:
        """Ask all instances to take nothing new: the engine is about to end."""
        self._write(_DRAINING, "")

    @property
    def is_draining(self) -> bool:
        """Whether the engine is about to end."""
        return (self.folder / _DRAINING).exists()

    def _sign(self, *, open_streams: int, is_loaded: bool) -> None:
        signature = Signature(self.index, os.getpid(), time.monotonic(), is_loaded, open_streams)
        self._write(_file_of(self.index), json.dumps(asdict(signature)))

    def _read(self, index: int) -> Signature | None:
        try:
            text = (self.folder / _file_of(index)).read_text(encoding="utf-8")
        except OSError:
            return None
        return Signature(**json.loads(text))

    def _write(self, name: str, text: str) -> None:
        """Readers see the file whole or not at all."""
        partial = self.folder / f"{name}.{self.index}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.folder / name)


def folder_of_server(model_name: str) -> Path:
    """The folder for this server's instances of a model.

    A temporary folder can outlive a container and process ids come again: the time at which the
    server was started tells two servers apart.
    """
    server = os.getppid()
    # A socket's path has room for about 100 characters, fewer than a model's name may have.
    name = zlib.crc32(model_name.encode())
    return Path(tempfile.gettempdir()) / f"qwen-triton-{server}-{start_time(server)}-{name:08x}"


def _file_of(index: int) -> str:
    return f"instance-{index}.json"
