"""One request from its question to the last chunk of its answer, on the engine's loop."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from qwen_triton import prompts
from qwen_triton.chunks import chunk_of
from qwen_triton.refusals import BadRequest, Refusal, Unavailable
from qwen_triton.requests import SAMPLING
from qwen_triton.sampling import sampling_arguments

if TYPE_CHECKING:
    from qwen_triton.engine import Engine
    from qwen_triton.requests import Question
    from qwen_triton.settings import Settings
    from qwen_triton.streams import Outbox, Stream

# Shorter texts are tokenized faster than another thread is woken.
_LONG_TEXT = 8192


class Answering:
    """Turns questions into chunks; holds what all requests share."""

    def __init__(self, settings: Settings, engine: Engine, outbox: Outbox) -> None:
        self._settings = settings
        self._engine = engine
        self._outbox = outbox
        self._defaults: dict[str, object] = engine.llm.model_config.get_diff_sampling_param()
        self._context: int = engine.llm.model_config.max_model_len
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
        for candidate in (error, cause):
            if isinstance(candidate, dialect.CLIENT_ERRORS):
                return BadRequest(SAMPLING, f"refused by the engine: {candidate}")
        return Refusal(f"the engine failed on this request: {type(error).__name__}: {error}")

    async def _answer(self, stream: Stream, question: Question) -> None:
        tokens = await self._tokens(question)
        stream.prompt_tokens = len(tokens)
        room = prompts.room(question, len(tokens), self._context)
        arguments = sampling_arguments(
            question.sampling, self._engine.dialect.SAMPLING_FIELDS, self._defaults
        )
        arguments.setdefault("max_tokens", room)
        if question.wants.logprobs or question.wants.cumulative_logprob:
            # Without it vLLM computes none, and the client would get "null" for its wish.
            arguments.setdefault("logprobs", 0)
        params = self._engine.dialect.sampling_params(arguments, stream=question.stream)
        request_id = uuid.uuid4().hex
        async for output in self._engine.generate(tokens, params, request_id):
            self._outbox.put(stream, chunk_of(output, params.n))

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


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    # The sending thread notices a client who left when the loop may be gone already.
    if not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
