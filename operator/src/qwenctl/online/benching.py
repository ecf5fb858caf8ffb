"""`qwenctl bench`: a load test of a served model, and its comparison with an earlier one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec
from qwenctl.bench import load
from qwenctl.bench.load import Level, Protocol, Target
from qwenctl.bench.plotting import plot
from qwenctl.bench.results import Results, today
from qwenctl.bench.results import load as read_results
from qwenctl.bench.samples import Figures, figures
from qwenctl.errors import ModelError, NoCluster
from qwenctl.exits import Exit
from qwenctl.online.asking import BrokenOff, check_client, served_name
from qwenctl.online.benched import against, fallen, line, screen
from qwenctl.online.completing import resource_names
from qwenctl.online.connection import Cluster
from qwenctl.online.forwarding import listening
from qwenctl.online.kubeconfig import Target as Where
from qwenctl.online.members import ready_pods
from qwenctl.online.options import Context, Kubeconfig, Namespace
from qwenctl.online.probing import check_length
from qwenctl.online.watching import watched
from qwenctl.output import Format, Output, complain, say

Json = dict[str, Any]

STREAMS = "1,2,4,16,32"


class Doors(StrEnum):
    """Which of Triton's doors is asked."""

    http = "http"
    grpc = "grpc"


_DOORS = {
    Doors.http: ("Triton HTTP", Protocol.GENERATE, naming.HTTP_PORT),
    Doors.grpc: ("Triton gRPC", Protocol.GRPC, naming.GRPC_PORT),
}


def _levels(streams: str, turns: int, tokens: int) -> list[Level]:
    try:
        found = [int(each) for each in streams.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise InvalidSpec(f"--streams {streams!r}: give numbers of streams, as in {STREAMS}")
    return [Level(each, turns, tokens) for each in found]


def _target(protocol: Protocol, model: str, url: str | None, ports: list[int]) -> Target:
    if url is None:
        return Target(protocol, tuple(ports), model)
    parts = urlsplit(url if "//" in url else f"//{url}")
    if not parts.hostname or not parts.port:
        raise InvalidSpec(f"--url {url!r}: give host and port, as in http://10.0.0.5:8000")
    return Target(protocol, (parts.port,), model, parts.hostname)


def _machine(pods: list[Json], url: str | None) -> str:
    """Where it ran, in words; without a node's name nobody can repeat it."""
    nodes = sorted({str((each.get("spec") or {}).get("nodeName")) for each in pods})
    noun = "pod" if len(pods) == 1 else "pods"
    way = f"asked at {url}" if url else "asked through the API server"
    return f"{len(pods)} {noun} on {', '.join(nodes)}; {way}"


@contextmanager
def _reached(
    cluster: Cluster, pods: list[Json], door: Doors, url: str | None
) -> Iterator[tuple[list[int], list[Any]]]:
    """Local ports that lead to the pods, and their listeners; none where an address is given."""
    with ExitStack() as stack:
        ways = [
            stack.enter_context(listening(cluster, each, _DOORS[door][2]))
            for each in ([] if url else pods)
        ]
        yield [each.port for each in ways], ways


def _measured(
    target: Target, level: Level, seen: tuple[Cluster, list[Json]]
) -> tuple[Figures, str]:
    """One level's figures, and the first failure."""
    with watched(*seen) as looking:
        samples = load.run(target, level)
    found = figures(samples, level.streams, level.tokens, {})
    failures = (each.error for each in samples if each.error)
    return replace(found, server=looking.told), next(failures, "")


def _check_length(target: Target, tokens: int, ways: list[Any], url: str | None) -> None:
    """Ask once before all else, and tell why where there is no way."""
    try:
        check_length(target, tokens)
    except BrokenOff as problem:
        if (failure := next((each.failure for each in ways if each.failure), None)) is not None:
            raise failure from problem
        where = f"--url {url}" if url else "the forwarded port"
        raise NoCluster(f"{where}: {problem}") from problem


def _run(
    cluster: Cluster, resource: Json, plan: tuple[Doors, str | None, list[Level]], save: Path | None
) -> Results:
    """Every level, one after another; the record is written after each."""
    door, url, levels = plan
    name, protocol, _ = _DOORS[door]
    spec, pods = resource["spec"], ready_pods(cluster, resource)
    results = Results(
        spec["model"]["source"],
        spec.get("engine") or {},
        levels[0].tokens,
        _machine(pods, url),
        today(),
    )
    with _reached(cluster, pods, door, url) as (ports, ways):
        target = _target(protocol, served_name(resource), url, ports)
        _check_length(target, results.tokens, ways, url)
        named = ", ".join(str(each.streams) for each in levels)
        complain(f"levels: {named}, {levels[0].turns} answers a stream and one to warm up")
        for level in levels:
            found, failure = _measured(target, level, (cluster, pods))
            results.doors.setdefault(name, []).append(found)
            if save is not None:
                results.save(save)
            complain(line(found))
            if found.errors == found.requests:
                for each in ways:
                    if each.failure is not None:
                        raise each.failure
                raise ModelError(f"with {level.streams} streams every request failed: {failure}")
            if failure:
                complain(f"  {found.errors} of {found.requests} requests failed: {failure}")
    return results


def _read(path: Path) -> Results:
    try:
        return read_results(path)
    except ValueError as problem:
        raise InvalidSpec(str(problem)) from problem


def _draw(results: Results, path: Path, before: Results | None) -> None:
    try:
        plot(results, path, before)
    except ImportError as problem:
        raise InvalidSpec(
            f"{path} was not drawn: matplotlib is missing: pip install '.[bench]' in the checkout"
        ) from problem
    complain(f"drew {path}")


def bench(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The QwenDeployment; left out with --results.", autocompletion=resource_names
        ),
    ] = None,
    *,
    streams: Annotated[
        str, typer.Option(help="How many answers are under way at a time, level after level.")
    ] = STREAMS,
    turns: Annotated[
        int, typer.Option(min=1, help="Answers that each stream asks for, beside one to warm up.")
    ] = 3,
    tokens: Annotated[int, typer.Option(min=1, help="Length of each answer.")] = 128,
    door: Annotated[Doors, typer.Option(help="Triton's HTTP or gRPC.")] = Doors.http,
    url: Annotated[
        str | None,
        typer.Option(help="Ask here instead of through the API server: http://10.0.0.5:8000."),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the figures in this JSON file.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--plot", help="Draw them into this PNG file.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Measure nothing: show the figures that this file keeps.")
    ] = None,
    earlier: Annotated[
        Path | None, typer.Option("--against", help="Compare with what this file keeps.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Exit 1 where tokens/s fell by more percent."),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    output: Output = Format.table,
) -> None:
    """Measure how fast a served model answers, with 1, 2, 4, 16 and 32 streams at a time.

    Each stream asks for another answer when it has one; prompts are such as no prefix cache has
    seen. A port of every ready pod is forwarded meanwhile, which costs time: for a fast GPU run it
    in the cluster, with --url. Exit code 1 says that requests failed.
    """
    if (name is None) == (results is None):
        raise InvalidSpec("give either the model to measure, or --results FILE to show")
    before = None if earlier is None else _read(earlier)
    if results is not None:
        now = _read(results)
    else:
        assert name is not None  # noqa: S101 - seen to above
        if door is Doors.grpc:
            check_client()
        levels = _levels(streams, turns, tokens)
        cluster = Cluster(Where(kubeconfig, context, namespace))
        now = _run(cluster, cluster.resource(name), (door, url, levels), save)
    parts = [*screen(now)]
    value = now.value()
    if before is not None:
        parts += ["", *against(now, before)]
        value = {**value, "against": before.value()}
    say(value, output, parts)
    if picture is not None:
        _draw(now, picture, before)
    worse = [] if before is None or tolerance is None else fallen(now, before, tolerance)
    for each in worse:
        complain(f"slower than before: {each}")
    if worse or any(found.errors for levels in now.doors.values() for found in levels):
        raise typer.Exit(Exit.NO)
