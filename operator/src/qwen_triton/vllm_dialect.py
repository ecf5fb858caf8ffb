"""The few calls into vLLM whose names or shapes moved between its versions 0.9 and 0.32.

Only imported where vllm is: never at the top of another module of this package.
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import gc
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vllm
import vllm.envs
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.lora.request import LoRARequest
from vllm.model_executor.model_loader import get_model_loader
from vllm.sampling_params import RequestOutputKind
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from qwen_triton.admission import Admission
from qwen_triton.refusals import BadRequest
from qwen_triton.requests import SAMPLING
from qwen_triton.settings import ENGINE_FILE, BadAdapter, BadSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwen_triton.adapters import Adapter
    from qwen_triton.chunks import RequestOutput
    from qwen_triton.prompts import Tokenizer
    from qwen_triton.settings import Settings

# vLLM's defaults for batches and sequences are those of its own server, then, and larger on a GPU.
AS_A_SERVER = UsageContext.OPENAI_API_SERVER

VERSION: str = vllm.__version__
SAMPLING_FIELDS: frozenset[str] = frozenset(SamplingParams.__struct_fields__)

ENGINE_DEAD: type[Exception] = EngineDeadError


def _named(module: str, name: str) -> type[Exception] | None:
    """An exception that not every version has."""
    try:
        found: type[Exception] | None = getattr(__import__(module, fromlist=[name]), name, None)
    except ImportError:
        return None
    return found


# The request's fault: until 0.2x a ValueError, since then an exception of vLLM's own.
CLIENT_ERRORS: tuple[type[Exception], ...] = tuple(
    error
    for error in (ValueError, TypeError, _named("vllm.exceptions", "VLLMClientError"))
    if error is not None
)
# Admission control: the request is fine, the queue is full.
BUSY_ERRORS: tuple[type[Exception], ...] = tuple(
    error for error in (_named("vllm.exceptions", "GracefulHTTPError"),) if error is not None
)
TEMPLATE_ERRORS: tuple[type[Exception], ...] = tuple(
    error for error in (_named("jinja2", "TemplateError"),) if error is not None
)


def engine_arguments(arguments: Mapping[str, object], served_model_name: str) -> AsyncEngineArgs:
    """Engine arguments of vLLM, each name checked against this version.

    Raises:
        BadSettings: with the nearest name that this vLLM knows.
    """
    # Older vLLMs take another engine, which is not known here, where this one is experimental.
    if "VLLM_USE_V1" in vllm.envs.environment_variables:
        os.environ.setdefault("VLLM_USE_V1", "1")
    known = [field.name for field in dataclasses.fields(AsyncEngineArgs)]
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadSettings(
                f"unknown engine argument {name!r} in {ENGINE_FILE}: vLLM {VERSION} has none{hint}"
            )
    return AsyncEngineArgs(**({"served_model_name": served_model_name} | dict(arguments)))


def comes_from_afar(arguments: AsyncEngineArgs) -> bool:
    """Whether the weights are no folder of this machine."""
    return not Path(arguments.model).exists()


def download(arguments: AsyncEngineArgs) -> None:
    """Bring the weights here as the engine's own loader does, so that it finds them.

    A loader that cannot do that apart brings them while it loads.
    """
    try:
        loader: Any = get_model_loader(arguments.create_load_config())
        fetch: Callable[..., None] = loader.download_model
    except AttributeError:
        return
    fetch(arguments.create_model_config())


def start_engine(arguments: AsyncEngineArgs) -> AsyncLLM:
    """Load the model; to be called on the loop that will own the engine."""
    return AsyncLLM.from_engine_args(arguments, usage_context=AS_A_SERVER)


async def tokenizer_of(engine: AsyncLLM) -> Tokenizer | None:
    """The engine's tokenizer: a coroutine up to 0.13, a plain call since."""
    found: Any = engine.get_tokenizer()
    tokenizer: Tokenizer | None = await found if inspect.isawaitable(found) else found
    return tokenizer


async def answer(
    engine: AsyncLLM,
    tokens: list[int],
    params: SamplingParams,
    request_id: str,
    hear: Callable[[RequestOutput], None],
    *,
    options: Mapping[str, object] | None = None,
) -> None:
    """Ask the engine and hand each output to `hear`, on the loop and as it comes.

    vLLM's generate() wakes a task for every output of every request. Here the engine's one task
    that reads outputs calls `hear` itself, and the request's own wakes once, at the end.
    Cancelling this aborts the request in the engine.

    Raises:
        Exception: the engine's, or what `hear` raised; other requests notice neither.
    """
    # In versions whose add_request leaves this to generate().
    engine._run_output_handler()  # noqa: SLF001
    add: Callable[..., Any] = engine.add_request
    collector: Any = await add(request_id, {"prompt_token_ids": tokens}, params, **(options or {}))
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def put(output: RequestOutput | Exception) -> None:
        if ended.done():
            return
        if isinstance(output, Exception):
            ended.set_exception(output)
            return
        try:
            hear(output)
        except Exception as error:  # noqa: BLE001  raised here it would end the task of all requests
            ended.set_exception(error)
        else:
            if output.finished:
                ended.set_result(None)

    collector.put = put
    if (early := collector.get_nowait()) is not None:
        put(early)
    try:
        await ended
    except asyncio.CancelledError:
        await _abort(engine, collector, request_id)
        raise


async def _abort(engine: AsyncLLM, collector: Any, request_id: str) -> None:  # noqa: ANN401
    """Since 0.13 an engine has names of its own for requests."""
    if "internal" in inspect.signature(engine.abort).parameters:
        await engine.abort(collector.request_id, internal=True)
    else:
        await engine.abort(request_id)


def lora_request(adapter: Adapter) -> LoRARequest:
    """The adapter as vLLM wants it beside a request."""
    return LoRARequest(lora_name=adapter.name, lora_int_id=adapter.number, lora_path=adapter.path)


async def load_adapters(engine: AsyncLLM, adapters: Sequence[Adapter]) -> None:
    """Load them all, before the first request: one that cannot be loaded would end the engine then.

    Raises:
        BadAdapter: naming the adapter, with vLLM's words.
    """
    for adapter in adapters:
        try:
            await engine.add_lora(lora_request(adapter))
        except Exception as error:
            raise BadAdapter(
                f"LoRA adapter {adapter.name!r} from {adapter.path} cannot be loaded: {error}"
            ) from error


def settle() -> None:
    """Loading is over: settings are read once, and what is there now is no garbage.

    vLLM's engine process does so, too; its front end reads some settings anew for every token.
    """
    enable: Callable[[], None] | None = getattr(vllm.envs, "enable_envs_cache", None)
    if enable is not None:
        enable()
    gc.collect()
    gc.freeze()


def unfinished_requests(engine: AsyncLLM) -> int:
    """Requests of this front end that the engine has not finished, of both doors."""
    return int(engine.output_processor.get_num_unfinished_requests())


def admission(engine: AsyncLLM, settings: Settings) -> Admission:
    """The bound on this front end's requests."""
    config = engine.vllm_config
    places = int(config.scheduler_config.max_num_seqs)
    return Admission(
        running=places * int(config.parallel_config.data_parallel_size),
        queued=settings.max_queued_requests,
        instance=settings.instance,
        instances=settings.instances,
    )


def has_priorities(engine: AsyncLLM) -> bool:
    """Whether the engine's queue heeds priorities."""
    return bool(engine.vllm_config.scheduler_config.policy == "priority")


def core_pids(engine: AsyncLLM) -> list[int]:
    """Processes of the engine core; none where another process owns them."""
    manager = getattr(getattr(engine.engine_core, "resources", None), "engine_manager", None)
    processes = getattr(manager, "processes", None) or []
    return [process.pid for process in processes if process.pid is not None]


def sampling_params(arguments: Mapping[str, object], *, stream: bool) -> SamplingParams:
    """Sampling parameters of vLLM, checked by vLLM.

    Raises:
        BadRequest: with vLLM's words about a value that it refuses.
    """
    kind = RequestOutputKind.DELTA if stream else RequestOutputKind.FINAL_ONLY
    try:
        return SamplingParams(**_structured(arguments), output_kind=kind)
    except CLIENT_ERRORS as error:
        raise BadRequest(SAMPLING, str(error)) from error


def _structured(arguments: Mapping[str, object]) -> dict[str, Any]:
    """Structured output as the type that this version has for it."""
    made: dict[str, Any] = dict(arguments)
    for field, type_name in (
        ("structured_outputs", "StructuredOutputsParams"),
        ("guided_decoding", "GuidedDecodingParams"),
    ):
        if field in made:
            made[field] = getattr(vllm.sampling_params, type_name)(**made[field])
    return made
