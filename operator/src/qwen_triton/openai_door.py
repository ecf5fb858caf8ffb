"""vLLM's own OpenAI application on the engine that Triton serves, behind the port of /health.

Its parts moved between vLLM's versions; where none of the known places has them, :9000 answers
/health only. Without a key nobody was promised more, and Triton's door works all the same; with
one the model does not load (`first_instance.py`).
"""

from __future__ import annotations

import asyncio
import importlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qwen_triton import failures
from qwen_triton.adapting import call, find
from qwen_triton.api_key import locked, take_key
from qwen_triton.failures import Failure, Reason
from qwen_triton.health import HEALTH_PATH, HealthServer, health_answer
from qwen_triton.refusals import Unavailable
from qwen_triton.templates import in_ascii, with_system_prompt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from qwen_triton.settings import Settings

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Newest first: where build_app, init_app_state and make_arg_parser live.
_PLACES: tuple[tuple[str, str, str], ...] = (
    (
        "vllm.entrypoints.launchers.app",
        "vllm.entrypoints.launchers.api_server.app_state",
        "vllm.entrypoints.launchers.cli_args",
    ),
    (
        "vllm.entrypoints.openai.api_server",
        "vllm.entrypoints.openai.api_server",
        "vllm.entrypoints.openai.cli_args",
    ),
)

_ADAPTER_PLACES = (
    "vllm.entrypoints.openai.models.protocol",
    "vllm.entrypoints.openai.serving_models",
)
_PARSER_PLACES = ("vllm.utils.argparse_utils", "vllm.utils")
# Below it are the paths that give the engine work.
_WORK = "/v1/"


class DoorClosed(RuntimeError):
    """The OpenAI endpoint is in the Service and cannot be opened; the message says why."""

    def failure(self) -> Failure:
        """For the operator and for people."""
        found = failures.classify(str(self), (), Reason.OPENAI_ENDPOINT_FAILED)
        words = f"the OpenAI endpoint cannot be opened: {found.message}"
        return replace(found, message=words)


class OpenAIDoor:
    """The application, its server, and the port they share with /health."""

    def __init__(self, settings: Settings, health: HealthServer) -> None:
        self._settings = settings
        self._health = health
        self._key = take_key()
        self._server: Any = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def is_promised(self) -> bool:
        """Whether clients may count on it: where a key is set, the Service offers the port."""
        return self._key is not None

    async def open(self, llm: Any, tokenizer: object) -> None:  # noqa: ANN401  vLLM has no types here
        """Build the application and take the port over; to be called on the engine's loop.

        Raises:
            ImportError: this vLLM keeps the application elsewhere.
        """
        application = self._guarded(await self._application(llm, tokenizer), llm)
        uvicorn = importlib.import_module("uvicorn")
        self._server = uvicorn.Server(
            uvicorn.Config(
                locked(application, self._key),
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=round(self._settings.drain_seconds),
            )
        )
        # uvicorn closes what it is given, and the port must outlive it.
        listener = self._health.listener.dup()
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[listener]))
        # Both listen on one socket from here on, so there is no moment without an answer.
        self._health.hand_over()

    async def close(self) -> None:
        """Take no more requests and let the running ones finish, within the drain time."""
        if self._serving is not None:
            self._health.take_back()
            self._server.should_exit = True
            await asyncio.wait([self._serving])

    async def _application(self, llm: Any, tokenizer: object) -> Application:  # noqa: ANN401
        build_app, init_app_state, make_arg_parser = _parts()
        args = self._arguments(llm, tokenizer, make_arg_parser)
        known = {
            "args": args,
            "model_config": llm.model_config,
            "engine_client": llm,
            "vllm_config": llm.vllm_config,
        }
        # Since 0.10; before, the application finds out by itself.
        if hasattr(llm, "get_supported_tasks"):
            known["supported_tasks"] = await llm.get_supported_tasks()
        application: Any = call(build_app, known)
        await call(init_app_state, {**known, "state": application.state})
        made: Application = application
        return made

    def _arguments(
        self,
        llm: Any,  # noqa: ANN401
        tokenizer: object,
        make_arg_parser: Callable[..., Any],
    ) -> Any:  # noqa: ANN401
        """The arguments that `vllm serve` would have been given."""
        flexible = find(_PARSER_PLACES, "FlexibleArgumentParser")
        args = make_arg_parser(flexible()).parse_args([])
        args.model = llm.model_config.model
        args.served_model_name = [self._settings.served_model_name]
        if (template := self._template(tokenizer)) is not None:
            args.chat_template = in_ascii(template)
        if self._settings.adapters:
            module = find(_ADAPTER_PLACES, "LoRAModulePath")
            args.lora_modules = [
                module(name=adapter.name, path=adapter.path) for adapter in self._settings.adapters
            ]
        if self._settings.tool_call_parser:
            args.enable_auto_tool_choice = True
            args.tool_call_parser = self._settings.tool_call_parser
        if self._settings.reasoning_parser:
            args.reasoning_parser = self._settings.reasoning_parser
            if hasattr(args, "structured_outputs_config"):
                args.structured_outputs_config.reasoning_parser = self._settings.reasoning_parser
        return args

    def _template(self, tokenizer: object) -> str | None:
        template = self._settings.chat_template or getattr(tokenizer, "chat_template", None)
        if self._settings.system_prompt and isinstance(template, str):
            return with_system_prompt(template, self._settings.system_prompt)
        return self._settings.chat_template

    def _guarded(self, application: Application, llm: Any) -> Application:  # noqa: ANN401
        """Our /health before vLLM's, and 503 while the model cannot answer or its queue is full."""
        from qwen_triton import vllm_dialect  # noqa: PLC0415  imports vllm

        liveness, facts = self._health.liveness, self._health.facts
        admission = vllm_dialect.admission(llm, self._settings)

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await application(scope, receive, send)
            elif scope["path"] == HEALTH_PATH:
                status, body = health_answer(liveness, facts)
                await _respond(send, status, body)
            elif not (verdict := liveness.verdict()).alive:
                await _refuse(send, f"the model is {verdict.status}: {verdict.reason}")
            elif scope["method"] == "POST" and scope["path"].startswith(_WORK):
                try:
                    admission.check(vllm_dialect.unfinished_requests(llm))
                except Unavailable as refusal:
                    await _refuse(send, str(refusal))
                    return
                await application(scope, receive, send)
            else:
                await application(scope, receive, send)

        return guarded


async def _refuse(send: Send, message: str) -> None:
    error = {"message": message, "type": "ServiceUnavailableError", "param": None, "code": 503}
    await _respond(send, 503, json.dumps({"error": error}).encode())


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _parts() -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    applications, states, arguments = zip(*_PLACES, strict=True)
    return (
        find(applications, "build_app"),
        find(states, "init_app_state"),
        find(arguments, "make_arg_parser"),
    )
