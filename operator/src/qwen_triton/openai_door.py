"""vLLM's own OpenAI application on the engine that Triton serves, behind the port of /health.

Its parts moved between vLLM's versions; where none of the known places has them, Triton's door
works all the same and :9000 answers /health only.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
from typing import TYPE_CHECKING, Any

from qwen_triton.health import HEALTH_PATH, HealthServer, health_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

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


def with_system_prompt(template: str, system_prompt: str) -> str:
    """The template, opening with the model's system prompt unless the client brings one.

    The application knows templates but no system prompts, so the prompt becomes part of one.
    """
    # A JSON string is a Jinja string, as long as nothing is escaped as a pair of surrogates.
    message = f"{{'role': 'system', 'content': {json.dumps(system_prompt, ensure_ascii=False)}}}"
    return (
        "{%- if messages[0]['role'] != 'system' -%}"
        f"{{%- set messages = [{message}] + messages -%}}"
        "{%- endif -%}" + template
    )


class OpenAIDoor:
    """The application, its server, and the port they share with /health."""

    def __init__(self, settings: Settings, health: HealthServer) -> None:
        self._settings = settings
        self._health = health
        self._server: Any = None
        self._serving: asyncio.Task[None] | None = None

    async def open(self, llm: Any, tokenizer: object) -> None:  # noqa: ANN401  vLLM has no types here
        """Build the application and take the port over; to be called on the engine's loop.

        Raises:
            ImportError: this vLLM keeps the application elsewhere.
        """
        application = self._guarded(await self._application(llm, tokenizer))
        uvicorn = importlib.import_module("uvicorn")
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
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
            "supported_tasks": await llm.get_supported_tasks(),
            "model_config": llm.model_config,
            "engine_client": llm,
            "vllm_config": llm.vllm_config,
        }
        application: Any = _call(build_app, known)
        await _call(init_app_state, {**known, "state": application.state})
        made: Application = application
        return made

    def _arguments(
        self,
        llm: Any,  # noqa: ANN401
        tokenizer: object,
        make_arg_parser: Callable[..., Any],
    ) -> Any:  # noqa: ANN401
        """The arguments that `vllm serve` would have been given."""
        flexible = _first(("vllm.utils.argparse_utils", "vllm.utils"), "FlexibleArgumentParser")
        args = make_arg_parser(flexible()).parse_args([])
        args.model = llm.model_config.model
        args.served_model_name = [self._settings.served_model_name]
        args.chat_template = self._template(tokenizer)
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

    def _guarded(self, application: Application) -> Application:
        """Our /health before vLLM's, and 503 for everything while the model cannot answer."""
        liveness, facts = self._health.liveness, self._health.facts

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await application(scope, receive, send)
            elif scope["path"] == HEALTH_PATH:
                status, body = health_answer(liveness, facts)
                await _respond(send, status, body)
            elif not (verdict := liveness.verdict()).alive:
                message = f"the model is {verdict.status}: {verdict.reason}"
                body = json.dumps({"error": {"message": message, "code": 503}}).encode()
                await _respond(send, 503, body)
            else:
                await application(scope, receive, send)

        return guarded


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _parts() -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    applications, states, arguments = zip(*_PLACES, strict=True)
    return (
        _first(applications, "build_app"),
        _first(states, "init_app_state"),
        _first(arguments, "make_arg_parser"),
    )


def _first(modules: tuple[str, ...], name: str) -> Callable[..., Any]:
    """The function from the first place that has it."""
    for module in modules:
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
        return found
    raise ImportError(f"this vLLM has no {name} in {' or '.join(modules)}")


def _call(function: Callable[..., Any], known: Mapping[str, object]) -> Any:  # noqa: ANN401
    """Call a function with those of the known arguments that this version of it takes."""
    wanted = inspect.signature(function).parameters
    return function(**{name: value for name, value in known.items() if name in wanted})
