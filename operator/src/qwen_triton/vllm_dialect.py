"""The few calls into vLLM whose names or shapes moved between its versions 0.9 and 0.32.

Only imported where vllm is: never at the top of another module of this package.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from typing import TYPE_CHECKING, Any

import vllm
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from qwen_triton.refusals import BadRequest
from qwen_triton.requests import SAMPLING
from qwen_triton.settings import ENGINE_FILE, BadSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwen_triton.prompts import Tokenizer

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
    known = [field.name for field in dataclasses.fields(AsyncEngineArgs)]
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadSettings(
                f"unknown engine argument {name!r} in {ENGINE_FILE}: vLLM {VERSION} has none{hint}"
            )
    return AsyncEngineArgs(**({"served_model_name": served_model_name} | dict(arguments)))


def start_engine(arguments: AsyncEngineArgs) -> AsyncLLM:
    """Load the model; to be called on the loop that will own the engine."""
    return AsyncLLM.from_engine_args(arguments)


async def tokenizer_of(engine: AsyncLLM) -> Tokenizer | None:
    """The engine's tokenizer: a coroutine up to 0.13, a plain call since."""
    found: Any = engine.get_tokenizer()
    tokenizer: Tokenizer | None = await found if inspect.isawaitable(found) else found
    return tokenizer


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
