"""Which of the calls that the backend makes into vLLM a version has, read from its wheel.

Nothing is imported: names, parameters and fields are read from the source. So the versions that are
not run (python -m e2e.compat run) are looked at, too.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_triton.metrics import MIRRORED
from qwen_triton.refused import SERIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zipfile import ZipFile

_OPENAI = "vllm.entrypoints.openai"
_ENGINE = "vllm.v1.engine"
_LOGGERS = "vllm/v1/metrics/"
# Written out, or made of parts that no reader of the source puts together.
_METRIC = re.compile(r'"(vllm:\w+)"')
_UNIT = re.compile(r"_total$")


@dataclass(frozen=True, slots=True)
class Call:
    """One thing of vLLM that the backend uses.

    Attributes:
        name: a function, a class, or one of its methods, attributes, fields.
        modules: where it may live.
        takes: parameters or fields that are used.
        enough: one of the names is; otherwise each must be there.
    """

    name: str
    modules: Sequence[str]
    takes: Sequence[str] = ()
    enough: bool = False


CALLS: tuple[Call, ...] = (
    Call("AsyncEngineArgs", ("vllm.engine.arg_utils",)),
    Call("EngineArgs", ("vllm.engine.arg_utils",), ("model", "served_model_name")),
    Call("EngineArgs.create_engine_config", ("vllm.engine.arg_utils",), ("usage_context",)),
    Call("UsageContext.OPENAI_API_SERVER", ("vllm.usage.usage_lib",)),
    Call("AsyncLLM.from_engine_args", (f"{_ENGINE}.async_llm",), ("engine_args", "usage_context")),
    Call(
        "AsyncLLM.add_request",
        (f"{_ENGINE}.async_llm",),
        ("request_id", "prompt", "params", "lora_request", "priority"),
    ),
    Call("AsyncLLM.abort", (f"{_ENGINE}.async_llm",), ("request_id",)),
    Call("AsyncLLM._run_output_handler", (f"{_ENGINE}.async_llm",)),
    Call("AsyncLLM.is_sleeping", (f"{_ENGINE}.async_llm",)),
    Call("AsyncLLM.add_lora", (f"{_ENGINE}.async_llm",), ("lora_request",)),
    Call("AsyncLLM.get_tokenizer", (f"{_ENGINE}.async_llm",)),
    Call("AsyncLLM.errored", (f"{_ENGINE}.async_llm",)),
    Call("AsyncLLM.shutdown", (f"{_ENGINE}.async_llm",)),
    Call("RequestOutputCollector.put", (f"{_ENGINE}.output_processor",)),
    Call("RequestOutputCollector.get_nowait", (f"{_ENGINE}.output_processor",)),
    Call("OutputProcessor.get_num_unfinished_requests", (f"{_ENGINE}.output_processor",)),
    Call("EngineDeadError", (f"{_ENGINE}.exceptions",)),
    Call("RequestOutputKind.DELTA", ("vllm.sampling_params",)),
    Call("SamplingParams", ("vllm.sampling_params",), ("n", "max_tokens", "output_kind")),
    Call(
        "SamplingParams",
        ("vllm.sampling_params",),
        ("structured_outputs", "guided_decoding"),
        enough=True,
    ),
    Call(
        "LoRARequest",
        ("vllm.lora.request",),
        ("lora_name", "lora_int_id", "lora_path"),
    ),
    Call("build_app", (f"{_OPENAI}.api_server", "vllm.entrypoints.launchers.app"), ("args",)),
    Call(
        "init_app_state",
        (f"{_OPENAI}.api_server", "vllm.entrypoints.launchers.api_server.app_state"),
        ("engine_client", "state", "args"),
    ),
    Call("make_arg_parser", (f"{_OPENAI}.cli_args", "vllm.entrypoints.launchers.cli_args")),
    Call(
        "ChatCompletionRequest",
        (f"{_OPENAI}.protocol", f"{_OPENAI}.chat_completion.protocol"),
        ("messages", "tools", "tool_choice", "chat_template_kwargs"),
    ),
    Call(
        "ToolParser.extract_tool_calls_streaming",
        ("vllm.tool_parsers.abstract_tool_parser", f"{_OPENAI}.tool_parsers.abstract_tool_parser"),
    ),
    Call(
        "ReasoningParser",
        ("vllm.reasoning.abs_reasoning_parsers",),
        ("extract_reasoning_streaming", "extract_reasoning_content_streaming"),
        enough=True,
    ),
)
# Instances of a model that share one engine.
SHARING: tuple[Call, ...] = (
    Call("launch_core_engines", (f"{_ENGINE}.utils",), ("vllm_config", "executor_class")),
    Call("EngineZmqAddresses", (f"{_ENGINE}.utils",), ("inputs", "outputs")),
    Call(
        "AsyncLLM.from_vllm_config",
        (f"{_ENGINE}.async_llm",),
        ("vllm_config", "client_addresses", "client_index"),
    ),
    Call("Executor.get_class", ("vllm.v1.executor.abstract",)),
)


def missing(wheel: ZipFile, calls: Sequence[Call]) -> list[str]:
    """What of the calls a version lacks; empty where it has all."""
    source = _Source(wheel)
    return [lack for each in calls if (lack := _lack(source, each))]


def missing_metrics(wheel: ZipFile) -> list[str]:
    """Series of the contract that a version does not count under any known name."""
    files = [name for name in wheel.namelist() if name.startswith(_LOGGERS)]
    text = "".join(wheel.read(name).decode() for name in files if name.endswith(".py"))
    counted = {_UNIT.sub("", name) for name in _METRIC.findall(text)}
    wanted = set(MIRRORED.values()) - {SERIES}
    return sorted(
        name
        for name in wanted
        if not counted & {old for old, new in MIRRORED.items() if new == name}
    )


def _lack(source: _Source, call: Call) -> str:
    owner, _, member = call.name.partition(".")
    for module in call.modules:
        node = source.find(module, owner)
        if node is None:
            continue
        names = set(_members(node))
        if member and member not in names:
            return f"{call.name}"
        inner = _member(node, member) if member else node
        known = set(_parameters(inner))
        absent = [name for name in call.takes if name not in known]
        fits = len(absent) < len(call.takes) if call.enough and call.takes else not absent
        return "" if fits else f"{call.name}({', '.join(absent)})"
    return f"{call.name} in {' or '.join(call.modules)}"


class _Source:
    """The modules of a wheel, parsed once."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._names = frozenset(archive.namelist())
        self._parsed: dict[str, list[ast.stmt]] = {}

    def find(self, module: str, name: str) -> ast.stmt | None:
        """What a module defines under a name."""
        return next(
            (node for node in self._body(module) if getattr(node, "name", "") == name), None
        )

    def _body(self, module: str) -> list[ast.stmt]:
        if module not in self._parsed:
            path = module.replace(".", "/")
            file = next(
                (f for f in (f"{path}.py", f"{path}/__init__.py") if f in self._names), None
            )
            text = self._archive.read(file).decode() if file else ""
            self._parsed[module] = list(_statements(ast.parse(text).body))
        return self._parsed[module]


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of a module, also below its conditions."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try)):
            yield from _statements([*node.body, *node.orelse])


def _members(node: ast.stmt) -> Iterator[str]:
    for each in getattr(node, "body", []):
        yield from _names(each)
        # Attributes that a constructor sets.
        for inner in ast.walk(each):
            if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                yield inner.attr


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _member(node: ast.stmt, name: str) -> ast.stmt | None:
    return next((each for each in getattr(node, "body", []) if name in _names(each)), None)


def _parameters(node: ast.stmt | None) -> Iterator[str]:
    """Parameters of a function; of a class its members and what it is made with."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        spec = node.args
        yield from (each.arg for each in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs))
    elif node is not None:
        yield from _members(node)
        yield from _parameters(_member(node, "__init__"))
