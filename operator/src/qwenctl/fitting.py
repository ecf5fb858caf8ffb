"""`qwenctl fit`: does a model run on a GPU, how long may a request be, and what else would."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.compat.images import vllm_version
from qwen_operator.desired.arguments import engine
from qwen_operator.desired.pod import image
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.answer import answer
from qwen_operator.fit.devices import Gpu
from qwen_operator.fit.devices import gpu as known_gpu
from qwen_operator.fit.knowledge import GIB, generation, read, scheme
from qwen_operator.fit.memory import Plan
from qwen_operator.fit.placing import place_of
from qwen_operator.fit.request import plan_of, shape_of
from qwen_operator.fit.shapes import Shape, named, of_config
from qwen_operator.fit.ways import ways
from qwen_operator.settings import Settings
from qwenctl.completing import gpu_names, models
from qwenctl.exits import Exit
from qwenctl.files import read_text, resources
from qwenctl.fitted import as_screen, as_value, beside_log
from qwenctl.output import Format, Output, plain_table, say

LENGTHS = "1024,4096,16384,32768"
_FLOAT32 = {"float", "float32"}
_DTYPES = {"auto", "half", "float16", "bfloat16", *_FLOAT32}


def _lengths(text: str) -> list[int]:
    try:
        found = [int(each.replace("_", "")) for each in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise InvalidSpec(f"--lengths {text!r}: give numbers of tokens, as in 1024,8192")
    return found


def config_shape(path: Path) -> Shape:
    """The shape in a config.json.

    Raises:
        InvalidSpec: it is not JSON, not an object, or not of a kind that is computed here.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as problem:
        raise InvalidSpec(f"{file} is not JSON: {problem}") from problem
    if not isinstance(content, dict):
        raise InvalidSpec(f"{file}: a model's config.json is an object, not {content!r:.40}")
    # Of a checkpoint's folder the name; of a file that was given a name of its own, that.
    name = file.resolve().parent.name if file.stem == "config" else file.stem
    return of_config(content, name)


def _chosen(plan: Plan, **given: Any) -> Plan:  # noqa: ANN401 - options of several types
    return replace(plan, **{name: value for name, value in given.items() if value is not None})


def _models(given: str | None, file: Path | None, config: Path | None) -> Shape | None:
    if (given is None) == (file is None) and config is None:
        raise InvalidSpec("give a model, as in Qwen/Qwen2.5-7B-Instruct, or a file with -f")
    if config is not None:
        return config_shape(config)
    return None if given is None else named(given.removeprefix("hf://"))


def _device(gpu: str | None, cpu: int | None, spec: Spec | None) -> Gpu:
    """What is computed on: as an option says, or as the resource does."""
    if cpu is not None and spec is None:
        return Gpu("the CPU", 0, is_cpu=True)
    if gpu is not None and (spec is None or spec.resources.gpus):
        return known_gpu(gpu)
    place = None if spec is None else place_of(spec)
    if place is None:
        raise InvalidSpec(
            "say which GPU with --gpu, as in L4, A100-80GB or 24GiB"
            + ("" if spec is None else "; the file does not (spec.resources.gpuProduct)")
        )
    return place.gpu


def _plans(
    shape: Shape | None, file: Path | None, on: tuple[str | None, int | None], version: str | None
) -> Iterator[tuple[str, Plan]]:
    """Plans with the name of the resource that each comes from."""
    if file is None:
        assert shape is not None  # noqa: S101 - _models saw to it
        settings = Settings()
        usual = settings.default_image if on[1] is None else settings.default_cpu_image
        there = generation(version or vllm_version(usual))
        plan = Plan(shape, _device(*on, None), vllm=there)
        if on[1] is not None:
            plan = replace(plan, cache=on[1] * GIB, block=int(read("vllm")["block_tokens"]["cpu"]))
        yield shape.name, plan
        return
    for each in resources(file):
        spec, found = each.spec, version or engine(each, image(each, Settings())).version
        yield each.key.name, plan_of(spec, shape or shape_of(spec), _device(*on, spec), found)


def fit(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A Qwen model, as on the hub: Qwen/Qwen2.5-7B-Instruct.", autocompletion=models
        ),
    ] = None,
    *,
    gpu: Annotated[
        str | None,
        typer.Option(
            "--gpu",
            help="As in A100-80GB or 24GiB; the file's own if left out.",
            autocompletion=gpu_names,
        ),
    ] = None,
    cpu: Annotated[
        int | None,
        typer.Option("--cpu", min=1, help="No GPU: GiB of main memory for the KV cache."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Take model and engine from this YAML; - is stdin."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The model's config.json, where the table lacks it.")
    ] = None,
    tensor_parallel_size: Annotated[
        int | None, typer.Option("--tp", min=1, max=64, help="GPUs that share each layer.")
    ] = None,
    pipeline_parallel_size: Annotated[
        int | None,
        typer.Option("--pp", min=1, max=64, help="Groups of GPUs that share the layers."),
    ] = None,
    gpu_memory_utilization: Annotated[
        float | None,
        typer.Option("--utilization", min=0.05, max=1, help="vLLM's share of the GPU's memory."),
    ] = None,
    max_model_len: Annotated[
        int | None, typer.Option(min=1, help="Longest prompt plus answer in tokens.")
    ] = None,
    max_num_seqs: Annotated[int | None, typer.Option(min=1, help="Requests in one step.")] = None,
    max_num_batched_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens in one step.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="auto, half, bfloat16, float32, …")] = "auto",
    kv_cache_dtype: Annotated[str, typer.Option(help="auto, or fp8 for half the size.")] = "auto",
    quantization: Annotated[
        str | None, typer.Option(help="awq, gptq, fp8, …; told by the model's name when left out.")
    ] = None,
    enforce_eager: Annotated[bool, typer.Option("--enforce-eager", help="No CUDA graphs.")] = False,
    vllm: Annotated[
        str | None, typer.Option(help="vLLM's version; the image's if left out.")
    ] = None,
    lengths: Annotated[str, typer.Option(help="Request lengths to count, in tokens.")] = LENGTHS,
    against: Annotated[
        Path | None,
        typer.Option(help="A log of vLLM's start: show how far the answer is from it; - is stdin."),
    ] = None,
    output: Output = Format.table,
) -> None:
    """Say whether a model fits a GPU, how long requests may be, and what would fit instead.

    How it is computed, and how far off it was from vLLM's own figures: docs/fit.md.
    """
    counted = _lengths(lengths)
    if file is not None and str(file) == str(against) == "-":
        raise InvalidSpec("-f and --against cannot both be standard input")
    if gpu is not None and cpu is not None:
        raise InvalidSpec("--gpu and --cpu: either of them, not both")
    if dtype not in _DTYPES:
        raise InvalidSpec(f"--dtype {dtype!r}: one of {', '.join(sorted(_DTYPES))} is needed")
    found = []
    for name, plain in _plans(_models(model, file, config), file, (gpu, cpu), vllm):
        plan = _chosen(
            plain,
            tensor=tensor_parallel_size,
            pipeline=pipeline_parallel_size,
            utilization=gpu_memory_utilization,
            max_model_len=max_model_len,
            max_num_seqs=max_num_seqs,
            max_num_batched_tokens=max_num_batched_tokens,
            dtype_bytes=4 if dtype in _FLOAT32 else None,
            kv_bytes=_cache_bytes(kv_cache_dtype, dtype),
            eager=enforce_eager or None,
        )
        if quantization is not None:
            plan = replace(plan, shape=replace(plan.shape, scheme=scheme(quantization)))
        result = answer(plan)
        found.append((name, result, [] if result.fits else ways(plan)))
    log = None if against is None else read_text(against)
    beside = [] if log is None else [beside_log(each, log) for _, each, _ in found]
    values = [{"name": name, **as_value(each, near, counted)} for name, each, near in found]
    parts = [part for _, each, near in found for part in (*as_screen(each, near, counted), "")]
    for value, rows in zip(values, beside, strict=False):
        keys = ("what", "computed", "printed", "off")
        value["against"] = [dict(zip(keys, row, strict=True)) for row in rows]
        parts += [plain_table(["AGAINST THE LOG", "COMPUTED", "PRINTED", "OFF"], rows), ""]
    say(values[0] if len(values) == 1 else values, output, parts[:-1])
    if not all(each.fits for _, each, _ in found):
        raise typer.Exit(Exit.NO)


def _cache_bytes(kv_cache_dtype: str, dtype: str) -> int | None:
    if kv_cache_dtype.startswith("fp8"):
        return 1
    if kv_cache_dtype in {"bfloat16", "float16"}:
        return 2
    if kv_cache_dtype != "auto":
        raise InvalidSpec(
            f"--kv-cache-dtype {kv_cache_dtype!r}: auto, fp8, bfloat16 or float16 is needed"
        )
    return 4 if dtype in _FLOAT32 else None
