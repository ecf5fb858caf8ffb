"""One request from its question to the last chunk of its answer, on the engine's loop."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from qwen_triton import prompts
from qwen_triton.adapters import adapter_for
from qwen_triton.chunks import chunk_of
from qwen_triton.refusals import BadRequest, Refusal, Unavailable
from qwen_triton.requests import SAMPLING
from qwen_triton.sampling import sampling_arguments

if TYPE_CHECKING:
    from qwen_triton.chunks import Chunk, RequestOutput
    from qwen_triton.engine import Engine
    from qwen_triton.outbox import Outbox
    from qwen_triton.requests import Question
    from qwen_triton.separation import Separation
    from qwen_triton.settings import Settings
    from qwen_triton.streams import Stream

# Shorter texts are tokenized faster than another thread is woken.
_LONG_TEXT = 8192
# More of a client's name for a request says no more to a person.
_LONG_NAME = 128
_UNIQUE = 12

_NO_PRIORITIES = (
    "'priority' needs an engine that heeds it; start it with scheduling_policy 'priority'"
)


class Answering:
    """Turns questions into chunks; holds what all requests share."""

    def __init__(self, settings: Settings, engine: Engine, outbox: Outbox) -> None:
        self._settings = settings
        self._engine = engine
        self._outbox = outbox
        self._defaults: dict[str, object] = engine.llm.model_config.get_diff_sampling_param()
        self._context: int = engine.llm.model_config.max_model_len
        self._vocabulary: int = engine.llm.model_config.get_vocab_size()
        self._longest_token = _longest_token(engine.tokenizer)
        self._admission = engine.dialect.admission(engine.llm, settings)
        self._taken = 0
        self._said: list[tuple[Stream, Chunk]] = []
        self._tokenizing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokenize")

    def begin(self, stream: Stream, question: Question) -> None:
        """Start to answer; to be called on the engine's loop."""
        stream.question = question
        task = asyncio.ensure_future(self._answer(stream, question))
        loop = task.get_loop()
        stream.cancel = lambda: _cancel(loop, task)
        if stream.stopped_because is not None:
            task.cancel()
        task.add_done_callback(lambda done: self._end(stream, done))

    def _end(self, stream: Stream, task: asyncio.Task[None]) -> None:
        """Whatever ended the task, the client gets a last response."""
        stream.cancel = None
        if task.cancelled():
            refusal: Refusal = stream.stopped_because or Unavailable("the request was aborted")
            self._outbox.put(stream, refusal=refusal)
        elif (error := task.exception()) is not None:
            self._outbox.put(stream, refusal=self._refusal_for(error))

    def _refusal_for(self, error: BaseException) -> Refusal:
        dialect = self._engine.dialect
        cause = error.__cause__
        if isinstance(error, Refusal):
            return error
        if isinstance(error, dialect.ENGINE_DEAD) or self._engine.has_died:
            return Unavailable("the engine has died; the server is about to restart")
        if isinstance(error, dialect.BUSY_ERRORS):
            return Unavailable(f"the engine takes no more requests now: {error}")
        if isinstance(error, RecursionError):
            return BadRequest(SAMPLING, "nested too deeply")
        for candidate in (error, cause):
            if isinstance(candidate, dialect.CLIENT_ERRORS):
                return BadRequest(SAMPLING, f"refused by the engine: {candidate}")
        return Refusal(f"the engine failed on this request: {type(error).__name__}: {error}")

    async def _answer(self, stream: Stream, question: Question) -> None:
        prompts.check_size(question, self._longest_token, self._context)
        tokens = await self._tokens(question)
        stream.prompt_tokens = len(tokens)
        room = prompts.room(question, len(tokens), self._context)
        arguments = sampling_arguments(
            question.sampling,
            self._engine.dialect.SAMPLING_FIELDS,
            self._defaults,
            self._vocabulary,
        )
        arguments.setdefault("max_tokens", room)
        has_logprobs = "logprobs" in arguments
        if question.wants.cumulative_logprob:
            # vLLM sums them up only where it computes them.
            arguments.setdefault("logprobs", 0)
        separation = self._separation(question, tokens, arguments)
        params = self._engine.dialect.sampling_params(arguments, stream=question.stream)
        options = self._options(question)

        def hear(output: RequestOutput) -> None:
            chunk = chunk_of(output, params.n)
            if not has_logprobs:
                chunk.drop_logprobs()
            if separation is not None:
                separation.apply(chunk, output)
            self._say(stream, chunk)

        # The engine knows a request only some time after it was asked: a burst would slip through.
        known = self._engine.dialect.unfinished_requests(self._engine.llm)
        self._admission.check(max(known, self._taken), params.n)
        self._taken += params.n
        try:
            await self._engine.answer(tokens, params, _request_id(question), hear, options=options)
        finally:
            self._taken -= params.n

    def _say(self, stream: Stream, chunk: Chunk) -> None:
        """Send it with all else that the engine says in this step: one wakening for all of them."""
        if not self._said:
            asyncio.get_running_loop().call_soon(self._deliver)
        self._said.append((stream, chunk))

    def _deliver(self) -> None:
        said, self._said = self._said, []
        self._outbox.put_all(said)

    def _separation(
        self, question: Question, tokens: list[int], arguments: dict[str, object]
    ) -> Separation | None:
        """How the answer is taken apart; None where the client wants it whole."""
        if not question.wants.reasoning and not question.wants.tool_calls:
            return None
        from qwen_triton import vllm_parsers  # noqa: PLC0415  imports vllm

        separation, skips_special_tokens = vllm_parsers.separation(
            question, self._settings, self._engine.tokenizer, tokens, self._engine.llm.model_config
        )
        if not skips_special_tokens:
            arguments.setdefault("skip_special_tokens", False)
        return separation

    def _options(self, question: Question) -> dict[str, object]:
        """What the engine is told beside tokens and sampling."""
        dialect, made = self._engine.dialect, dict[str, object]()
        if question.options.priority is not None:
            if not dialect.has_priorities(self._engine.llm):
                raise BadRequest(SAMPLING, _NO_PRIORITIES)
            made["priority"] = question.options.priority
        adapter = adapter_for(question.options.lora_name, self._settings.adapters)
        if adapter is not None:
            made["lora_request"] = dialect.lora_request(adapter)
        return made

    async def _tokens(self, question: Question) -> list[int]:
        if len(question.text) < _LONG_TEXT and not question.history:
            return self._tokenize(question)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._tokenizing, self._tokenize, question)

    def _tokenize(self, question: Question) -> list[int]:
        if self._engine.tokenizer is None:
            raise BadRequest(question.field, "the model is served without a tokenizer")
        return prompts.tokens(
            question,
            self._engine.tokenizer,
            system_prompt=self._settings.system_prompt,
            chat_template=self._settings.chat_template,
            template_errors=self._engine.dialect.TEMPLATE_ERRORS,
        )


def _longest_token(tokenizer: prompts.Tokenizer | None) -> int:
    """In characters."""
    return max((len(token) for token in tokenizer.get_vocab()), default=1) if tokenizer else 1


def _request_id(question: Question) -> str:
    """The client's own name for the request, for vLLM's log, and what makes it unique."""
    unique = uuid.uuid4().hex
    name = "".join(char for char in question.name[:_LONG_NAME] if char.isprintable())
    return f"{name}-{unique[:_UNIQUE]}" if name else unique


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    # The sending thread notices a client who left when the loop may be gone already.
    if not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
