"""The load: so many streams at a time, each asking again when it has its answer."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from qwenctl.bench.http_client import connect
from qwenctl.bench.prompts import prompt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

    from qwenctl.bench.samples import Sample

# Clients must never be what is measured: half of the machine is theirs.
_MOST_PROCESSES = 8
# The first turns find everything cold: connections, caches, the clock of the GPU.
WARM_TURNS = 1


class Protocol(StrEnum):
    """How a door is spoken to."""

    GENERATE = "generate_stream"
    GRPC = "ModelStreamInfer"
    COMPLETIONS = "/v1/completions"


@dataclass(frozen=True, slots=True)
class Target:
    """One door of a running server.

    Attributes:
        protocol: spoken there.
        ports: where it listens; of several each stream keeps to one.
        model: its name.
        host: the server's.
    """

    protocol: Protocol
    ports: tuple[int, ...]
    model: str
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Level:
    """How much is asked of a door.

    Attributes:
        streams: how many answers are under way at a time.
        turns: how many answers each stream gets, beside WARM_TURNS that are not measured.
        tokens: length of each answer.
        seconds: each stream asks anew until so many have gone by, however many turns that are.
    """

    streams: int
    turns: int
    tokens: int
    seconds: float = 0.0


def measured(level: Level, samples: int) -> float:
    """The share of a level's requests that are among the samples: warm ones cost CPU as well."""
    return samples / (samples + level.streams * WARM_TURNS)


def run(target: Target, level: Level) -> list[Sample]:
    """Put a level's load on a door.

    Returns:
        The measured requests of all streams.
    """
    processes = min(level.streams, _MOST_PROCESSES, max(1, (os.cpu_count() or 2) // 2))
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    workers = []
    for number in range(processes):
        receiver, sender = context.Pipe(duplex=False)
        numbers = list(range(number, level.streams, processes))
        worker = context.Process(target=_work, args=(target, level, numbers, barrier, sender))
        worker.start()
        sender.close()
        workers.append((worker, receiver))
    samples: list[Sample] = []
    try:
        for _, receiver in workers:
            samples += receiver.recv()
    finally:
        for worker, _ in workers:
            # They have told all that they know, or nobody wants to hear it any more.
            worker.terminate()
            worker.join()
    return samples


def _work(
    target: Target, level: Level, numbers: list[int], barrier: Barrier, sender: Connection
) -> None:
    # Ctrl-C is for whoever started this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runner = asyncio.Runner(loop_factory=_loop_factory())
    with runner:
        barrier.wait()
        sender.send(runner.run(_all(target, level, numbers)))


async def _all(target: Target, level: Level, numbers: list[int]) -> list[Sample]:
    streams = [_stream(target, level, number) for number in numbers]
    return [sample for samples in await asyncio.gather(*streams) for sample in samples]


async def _stream(target: Target, level: Level, number: int) -> list[Sample]:
    port = target.ports[number % len(target.ports)]
    ask = await _asking(target, port, level)
    samples: list[Sample] = []
    ends = time.monotonic() + level.seconds
    while len(samples) < level.turns + WARM_TURNS or time.monotonic() < ends:
        samples.append(await ask(prompt(number, len(samples), level.streams)))
    return samples[WARM_TURNS:]


async def _asking(target: Target, port: int, level: Level) -> Callable[[str], Awaitable[Sample]]:
    sampling = {"max_tokens": level.tokens, "ignore_eos": True, "temperature": 1.0}
    if target.protocol is Protocol.GRPC:
        # Only where it is asked for: it is the one client that needs grpc.
        from qwenctl.bench.grpc_client import GrpcStream  # noqa: PLC0415

        call = GrpcStream(target.host, port, target.model)
        return lambda text: call.ask(text, json.dumps(sampling))
    stream = await connect(target.host, port)
    if target.protocol is Protocol.COMPLETIONS:
        fixed = {"model": target.model, "stream": True, **sampling}
        return lambda text: stream.ask(target.host, "/v1/completions", {**fixed, "prompt": text})
    path = f"/v2/models/{target.model}/generate_stream"
    asked = {"stream": True, "sampling_parameters": json.dumps(sampling)}
    return lambda text: stream.ask(target.host, path, {**asked, "text_input": text})


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  not everywhere
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
