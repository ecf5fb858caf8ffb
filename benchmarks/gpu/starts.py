"""Starts of the engine on a real GPU, and how near the fit came to what each then printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.serving.shapes import write_shape
from qwen_operator.api.resource import read_resource
from qwen_operator.desired.repository import model_json
from qwen_operator.fit.answer import answer, gib
from qwen_operator.fit.devices import gpu
from qwen_operator.fit.logs import printed
from qwen_operator.fit.request import plan_of
from qwen_operator.fit.shapes import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qwen_operator.fit.answer import Answer
    from qwen_operator.fit.shapes import Shape

CASES = Path(__file__).with_name("starts.yaml")
ROOT = Path(__file__).resolve().parents[2]
_LONGEST = {"longest": 1.0, "above": 1.05}
_BLOCKS = re.compile(r'^\{"blocks": (\d+)\}$', re.MULTILINE)
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Case:
    """One start.

    Attributes:
        name: of its log.
        shape: the model.
        arguments: engine arguments beside the model's folder, as the operator renders them.
        predicted: what the fit says of it.
    """

    name: str
    shape: Shape
    arguments: dict[str, Any]
    predicted: Answer


def cases(gpu_name: str, vllm: str) -> list[Case]:
    """The cases of starts.yaml, predicted for a GPU and a version of vLLM."""
    given = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    return [_case(each, gpu_name, vllm) for each in given]


def _case(given: dict[str, Any], gpu_name: str, vllm: str) -> Case:
    shape, engine = named(given["model"]), dict(given["engine"])
    if (factor := _LONGEST.get(str(engine.get("maxModelLen")))) is not None:
        free = {**engine, "maxModelLen": None}
        longest = _predict(given["model"], shape, free, gpu_name, vllm)[1].longest
        engine["maxModelLen"] = int(longest * factor)
    arguments, predicted = _predict(given["model"], shape, engine, gpu_name, vllm)
    return Case(given["name"], shape, arguments, predicted)


def _predict(
    model: str, shape: Shape, engine: dict[str, Any], gpu_name: str, vllm: str
) -> tuple[dict[str, Any], Answer]:
    resource = read_resource(
        {
            "metadata": {"name": "start", "namespace": "gpu", "uid": "1", "generation": 1},
            "spec": {
                "model": {"source": f"hf://Qwen/{model}"},
                "engine": {key: value for key, value in engine.items() if value is not None},
                "resources": {"gpus": 1},
            },
        }
    )
    rendered = model_json(resource)
    arguments = {key: each for key, each in rendered.items() if key not in {"model", "tokenizer"}}
    return arguments, answer(plan_of(resource.spec, shape, gpu(gpu_name), vllm))


def run(into: Path, chosen: Sequence[Case], seconds: float) -> None:
    """Start one after another; each leaves its log.

    Args:
        into: folder of the logs.
        chosen: what to start.
        seconds: for all together; who is not done by then is ended.
    """
    into.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="gpu-starts-") as name:
        lock, running = Path(name) / "lock", {}
        for case in chosen:
            folder = Path(name) / case.name
            write_shape(case.shape, folder)
            arguments = {**case.arguments, "model": str(folder), "load_format": "dummy"}
            command = [
                sys.executable,
                "-m",
                "benchmarks.gpu.start",
                str(lock),
                json.dumps(arguments),
            ]
            with (into / f"{case.name}.log").open("wb") as log:
                log.write((json.dumps(case.arguments) + "\n").encode())
                log.flush()
                running[case.name] = subprocess.Popen(
                    command, stdout=log, stderr=log, cwd=ROOT, env=_environment()
                )
        try:
            while running and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                for each in [
                    each for each, process in running.items() if process.poll() is not None
                ]:
                    print(f"{each}: ended with {running.pop(each).returncode}", flush=True)
        finally:
            for each, process in running.items():
                print(f"{each}: not done in time", flush=True)
                process.kill()
                process.wait()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/operator/src"}


def table(logs: Path, chosen: Sequence[Case]) -> Iterator[str]:
    """One row a start: what was computed, what vLLM printed, and how far the one is off."""
    yield "| start | weights | KV cache | computed | off, of the share | tokens | computed | off |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for case in chosen:
        path = logs / f"{case.name}.log"
        if path.exists():
            yield _row(case, path.read_text(encoding="utf-8", errors="replace"))


def _row(case: Case, log: str) -> str:
    memory, plan = case.predicted.memory, case.predicted.plan
    seen = printed(log, memory.block)
    started = _BLOCKS.search(log)
    what = f"{case.name}, {plan.length} tokens: " + ("started" if started else "did not start")
    if seen.kv_cache is None:
        return f"| {what} | | | {gib(memory.kv_cache)} | | | {memory.tokens} | |"
    off = 100 * (memory.kv_cache - seen.kv_cache) / memory.share
    cells = [
        what,
        gib(seen.weights or 0),
        gib(seen.kv_cache),
        gib(memory.kv_cache),
        f"{off:+.2f} %",
    ]
    tokens = int(started[1]) * memory.block if started else seen.tokens
    if tokens is None:
        cells += ["", str(memory.tokens), ""]
    else:
        cells += [str(tokens), str(memory.tokens), f"{100 * (memory.tokens / tokens - 1):+.2f} %"]
    return f"| {' | '.join(cells)} |"
